"""What a sync takes out of the way: kept as commits under refs of their own, listed, shown and dropped.

A backup commit has the state of the files, byte for byte; its first parent is the commit that the run tree
was parked at, the others are its parts (:mod:`wtwatch.tree.parts`) and the commits that it keeps.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import contents, parts
from wtwatch.tree.bytewise import Entry
from wtwatch.tree.contents import Holding
from wtwatch.tree.parts import STAGED, UNDER_WAY
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Backup, Sha, now

SCRATCH = "backup-"
"""How the folders begin, beside the project's state, in which a backup is put together."""

_TIME = "%Y%m%dT%H%M%SZ"
_SUMMARY = "Kept: "
_ASIDE = "Set aside in: "
_RECENT = 20
"""The same content is looked for among so many of the newest backups."""


def create(
    tree: RunTree,
    base: Sha,
    doomed: Sequence[str],
    also: Sequence[Sha] = (),
    aside: Path | None = None,
) -> Backup:
    """Keep all that the run tree's code has beyond ``base``; the tree and its index stay untouched.

    Kept are the index with all its stages, tracked files as they are on disk, the files ``doomed`` (relative
    to the code folder: in the way of a move, or edited without git seeing it), what an operation that is
    under way holds, and the commits ``also``; ``aside`` is a folder to which the caller moves what is too
    big for git, or no file. Where one of the newest backups holds the very same, that is returned. Raises
    :class:`WtwatchError` when a file cannot be read; then nothing may move.
    """
    repo = Repo(tree.code_path)
    with scratch_folder(SCRATCH, tree.state) as scratch:
        desk = parts.Desk(repo, scratch)
        pieces = desk.staged(base) | desk.under_way(base)
        files = desk.files(doomed, odd_too=aside is not None)
    parents = list(dict.fromkeys((base, *pieces.values(), *also)))
    known = _same(tree, repo, files, parents) if aside is None else None
    if known:
        return known
    summary = _summary(contents.changed_paths(repo, base, files, pieces), aside)
    return _made(tree, repo, files, parents, summary, *([f"{_ASIDE}{aside}"] if aside else []))


def keep(tree: RunTree, base: Sha, commit: Sha, summary: str) -> Backup:
    """Keep a commit that no branch has, with its files against those of ``base``."""
    repo = Repo(tree.project.main_code)
    files, parents = Sha(repo.git("rev-parse", f"{commit}^{{tree}}")), (base, commit)
    return _same(tree, repo, files, parents) or _made(tree, repo, files, parents, summary)


def _made(tree: RunTree, repo: Repo, files: Sha, parents: Sequence[Sha], summary: str, *more: str) -> Backup:
    body = "\n".join([f"{_SUMMARY}{summary}", *more])
    message = f"wtwatch: backup of {tree.project.name}'s run tree before a sync\n\n{body}"
    commit = parts.commit(repo, files, parents, message)
    made = now()
    name = f"{made.strftime(_TIME)}-{os.urandom(3).hex()}"
    repo.update_ref(tree.backup_prefix + name, commit, ZERO, "backup")
    return Backup(name, commit, made, summary)


def _same(tree: RunTree, repo: Repo, files: Sha, parents: Sequence[Sha]) -> Backup | None:
    """Return the backup that holds the very same, if it is among the newest."""
    shape = "--format=%(refname) %(tree) %(parent)"
    listing = repo.git("for-each-ref", "--sort=-refname", f"--count={_RECENT}", shape, tree.backup_prefix)
    wanted = [str(files), *parents]
    refs = (line.split() for line in listing.split("\n") if line)
    same = next((ref for ref, *content in refs if content == wanted), None)
    return next(iter(_listed(tree, repo, same)), None) if same else None


def _summary(files: Sequence[str], aside: Path | None) -> str:
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    kept = ", ".join(map(_shown, files[:2])) + more if files else "commits only"
    if aside:
        return f"{kept}; moved to {aside}" if files else f"moved to {aside}"
    return kept


def _shown(path: str) -> str:
    """Return a path as a person can read it on one line."""
    return path if path.isprintable() else ascii(path)


def names(tree: RunTree) -> dict[str, Sha]:
    """Return the ids of the project's backups and their commits, oldest first, by one git."""
    refs = Repo(tree.project.main_code).refs(tree.backup_prefix)
    found = {ref.removeprefix(tree.backup_prefix): commit for ref, commit in refs.items()}
    return {name: commit for name, commit in found.items() if _moment(name)}


def listing(tree: RunTree) -> list[Backup]:
    """Return the project's backups, oldest first, by so many gits whatever their number."""
    return _listed(tree, Repo(tree.project.main_code), tree.backup_prefix)


def weighed(tree: RunTree) -> list[tuple[Backup, Holding]]:
    """Return the project's backups, oldest first, with the files and bytes that each holds, as cheaply."""
    repo = Repo(tree.project.main_code)
    found = _read(tree, repo, tree.backup_prefix)
    held = contents.of_many(repo, [backup.commit for backup, _ in found])
    return [(_told(backup, aside, held), held[backup.commit]) for backup, aside in found]


def _moment(name: str) -> datetime | None:
    """Return when a backup of that id was made; ``None``: it is a ref that somebody else put there."""
    with suppress(ValueError):
        return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)
    return None


def _listed(tree: RunTree, repo: Repo, pattern: str) -> list[Backup]:
    found = _read(tree, repo, pattern)
    untold = [backup.commit for backup, _ in found if not backup.summary]
    held = contents.of_many(repo, untold)
    return [_told(backup, aside, held) for backup, aside in found]


def _read(tree: RunTree, repo: Repo, pattern: str) -> list[tuple[Backup, str | None]]:
    """Return backups, and the folder that each names; the summary of those of version 0.1.0 is empty."""
    shape = "--format=%(refname)%00%(objectname)%00%(contents:body)%00"
    fields = repo.git("for-each-ref", shape, pattern).split("\0")
    found = []
    for ref, commit, body in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        name = ref.strip().removeprefix(tree.backup_prefix)
        if made := _moment(name):
            backup = Backup(name, Sha(commit), made, _line(body, _SUMMARY) or "")
            found.append((backup, _line(body, _ASIDE)))
    return found


def _told(backup: Backup, aside: str | None, held: dict[Sha, Holding]) -> Backup:
    if backup.summary:
        return backup
    return backup._replace(summary=_summary(held[backup.commit].paths, Path(aside) if aside else None))


def _line(body: str, start: str) -> str | None:
    return next((line.removeprefix(start) for line in body.split("\n") if line.startswith(start)), None)


def find(tree: RunTree, name: str) -> Backup:
    """Return the backup whose id is ``name`` or starts with it; raises :class:`UsageError`."""
    only = fitting(tree, name, names(tree))
    return _listed(tree, Repo(tree.project.main_code), tree.backup_prefix + only)[0]


def fitting(tree: RunTree, name: str, among: Iterable[str]) -> str:
    """Return the one id that is ``name`` or starts with it; raises :class:`UsageError`."""
    known = list(among)
    fits = [known_name for known_name in known if name and known_name.startswith(name)]
    if len(fits) != 1 and name not in known:
        problem = "is no backup" if not fits else f"fits {len(fits)} backups"
        raise UsageError(f"{name!r} {problem} of {tree.project.name}.", "`wtwatch backups list` shows them.")
    return name if name in known else fits[0]


def aside_of(tree: RunTree, backup: Backup) -> Path | None:
    """Return the folder of the shelf to which a sync moved what is no file, or too big, for that backup."""
    body = Repo(tree.project.main_code).git("log", "-1", "--format=%b", backup.commit)
    said = _line(body, _ASIDE)
    return Path(said) if said and Path(said).parent == tree.shelf / "set-aside" else None


def drop(tree: RunTree, backups: Sequence[Backup]) -> None:
    """Take away the refs of backups, all or none; their commits are git's until its next gc."""
    lines = [f"delete {tree.backup_prefix}{backup.id} {backup.commit}\n" for backup in backups]
    Repo(tree.project.main_code).git("update-ref", "--stdin", stdin="".join(lines))


def show(tree: RunTree, backup: Backup) -> str:
    """Return what a backup holds against the commit it was taken from, as a patch with a summary.

    Then its parts, where they hold something else, the commits it keeps, and what was set aside where.
    """
    repo = Repo(tree.project.main_code)
    diff = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--stat", "--patch")
    said = [repo.git(*diff, f"{backup.commit}^1", backup.commit)]
    pieces = parts.parts_of(repo, backup.commit)
    for name, piece in pieces.items():
        if name == STAGED and not contents.changed(repo, piece, backup.commit):
            continue
        held = repo.git(*diff, f"{piece}^1", piece) if name == STAGED else _paths(contents.whole(repo, piece))
        said.append(f"{name[0].upper()}{name[1:]} ({piece[:10]}):\n\n{held}")
    kept = [sha for sha in _parents(repo, backup.commit) if sha not in pieces.values()]
    if UNDER_WAY in pieces:
        kept += [sha for sha in _parents(repo, pieces[UNDER_WAY]) if sha not in kept]
    log = ("log", "--no-walk=unsorted", "--no-color", "--format=  %h %s")
    said.append("Commits:\n" + repo.git(*log, *kept))
    aside = _line(repo.git("log", "-1", "--format=%b", backup.commit), _ASIDE)
    if aside:
        said.append(f"Moved to {aside}.")
    return "\n\n".join(filter(None, said))


def _parents(repo: Repo, commit: Sha) -> list[Sha]:
    return [Sha(parent) for parent in repo.git("log", "-1", "--format=%P", commit).split()]


def _paths(entries: Sequence[Entry]) -> str:
    return "\n".join(f"  {_shown(entry.path)}" for entry in entries)
