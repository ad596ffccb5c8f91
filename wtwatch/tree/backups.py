"""What a sync takes out of the way: kept as commits under refs of their own, listed, shown and restored.

A backup commit has the state of the files, byte for byte; its first parent is the commit that the run tree
was parked at, the others are its parts (:mod:`wtwatch.tree.parts`) and the commits that it keeps.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, ZERO, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytewise, parts
from wtwatch.tree.bytewise import Entry
from wtwatch.tree.parts import CONFLICT, STAGED, UNDER_WAY
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
    summary = _summary(_changed(repo, base, files, pieces), aside)
    body = [f"{_SUMMARY}{summary}", *([f"{_ASIDE}{aside}"] if aside else [])]
    message = f"wtwatch: backup of {tree.project.name}'s run tree before a sync\n\n" + "\n".join(body)
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
    return next(_listed(tree, repo, same), None) if same else None


def _summary(files: Sequence[str], aside: Path | None) -> str:
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    kept = ", ".join(map(_shown, files[:2])) + more if files else "commits only"
    if aside:
        return f"{kept}; moved to {aside}" if files else f"moved to {aside}"
    return kept


def _shown(path: str) -> str:
    """Return a path as a person can read it on one line."""
    return path if path.isprintable() else ascii(path)


def changed_files(repo: Repo, commit: Sha) -> list[str]:
    """Return the paths in which a backup differs from the commit that the run tree was parked at.

    Also those that were staged alone, and changed back in the files.
    """
    return _changed(repo, Sha(f"{commit}^1"), commit, parts.parts_of(repo, commit))


def _changed(repo: Repo, base: Sha, files: Sha, pieces: dict[str, Sha]) -> list[str]:
    found = [entry.path for entry in _entries(repo, base, files)]
    if STAGED in pieces:
        found += [entry.path for entry in _entries(repo, base, pieces[STAGED])]
    if CONFLICT in pieces:  # below the names of their sides
        found += [entry.path.split("/", 1)[1] for entry in _whole(repo, pieces[CONFLICT])]
    return list(dict.fromkeys(found))


def _entries(repo: Repo, old: Sha, new: Sha) -> list[Entry]:
    """Return the files of ``new`` that differ from ``old``; those that are gone have the mode of nothing."""
    listing = repo.git("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new).split("\0")
    lines = zip(listing[::2], listing[1::2], strict=False)
    fields = ((facts.split(), path) for facts, path in lines)
    return [Entry(facts[1], Sha(facts[3]), path) for facts, path in fields]


def _whole(repo: Repo, commit: Sha) -> list[Entry]:
    lines = (line.split("\t", 1) for line in repo.git("ls-tree", "-r", "-z", commit).split("\0") if line)
    return [Entry(facts.split()[0], Sha(facts.split()[2]), path) for facts, path in lines]


def listing(tree: RunTree) -> list[Backup]:
    """Return the project's backups, oldest first."""
    return list(_listed(tree, Repo(tree.project.main_code), tree.backup_prefix))


def _listed(tree: RunTree, repo: Repo, pattern: str) -> Iterator[Backup]:
    shape = "--format=%(refname)%00%(objectname)%00%(contents:body)%00"
    fields = repo.git("for-each-ref", shape, pattern).split("\0")
    for ref, commit, body in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        name = ref.strip().removeprefix(tree.backup_prefix)
        with suppress(ValueError):  # a ref that somebody else put there
            made = datetime.strptime(name.split("-")[0], _TIME).replace(tzinfo=UTC)
            summary = _line(body, _SUMMARY) or _summary_of(repo, Sha(commit), _line(body, _ASIDE))
            yield Backup(name, Sha(commit), made, summary)


def _summary_of(repo: Repo, commit: Sha, aside: str | None) -> str:
    """Return the summary of a backup of version 0.1.0, which does not say it."""
    return _summary(changed_files(repo, commit), Path(aside) if aside else None)


def _line(body: str, start: str) -> str | None:
    return next((line.removeprefix(start) for line in body.split("\n") if line.startswith(start)), None)


def find(tree: RunTree, name: str) -> Backup:
    """Return the backup whose id is ``name`` or starts with it; raises :class:`UsageError`."""
    fits = [backup for backup in listing(tree) if name and backup.id.startswith(name)]
    if len(fits) != 1:
        problem = "is no backup" if not fits else f"fits {len(fits)} backups"
        raise UsageError(f"{name!r} {problem} of {tree.project.name}.", "`wtwatch backups list` shows them.")
    return fits[0]


def show(tree: RunTree, backup: Backup) -> str:
    """Return what a backup holds against the commit it was taken from, as a patch with a summary.

    Then its parts, where they hold something else, the commits it keeps, and what was set aside where.
    """
    repo = Repo(tree.project.main_code)
    diff = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--stat", "--patch")
    said = [repo.git(*diff, f"{backup.commit}^1", backup.commit)]
    pieces = parts.parts_of(repo, backup.commit)
    for name, piece in pieces.items():
        if name == STAGED and not _entries(repo, piece, backup.commit):
            continue
        held = repo.git(*diff, f"{piece}^1", piece) if name == STAGED else _paths(_whole(repo, piece))
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


def restore(tree: RunTree, backup: Backup, to: Path) -> list[Path]:
    """Write the files of a backup below ``to``, a folder that is new or empty; return their paths.

    Its parts go into folders of their names below ``to``: what was staged and differs from the file, the
    stages of files in conflict, and what an operation kept for itself. The run tree is never written into:
    it would be dirty again. Deleted files are not among them.
    """
    if os.path.lexists(to) and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists and is not an empty folder.", "Name another with --to DIR.")
    repo = Repo(tree.project.main_code)
    files = _entries(repo, Sha(f"{backup.commit}^1"), backup.commit)
    taken = {entry.path.split("/", 1)[0] for entry in files}
    wanted = [(entry, to / entry.path) for entry in files]
    for name, piece in parts.parts_of(repo, backup.commit).items():
        place = to / _free(name, taken)
        entries = _whole(repo, piece)
        if name == STAGED:
            unlike = {entry.path for entry in _entries(repo, backup.commit, piece)}
            entries = [entry for entry in _entries(repo, Sha(f"{piece}^1"), piece) if entry.path in unlike]
        wanted += [(entry, place / entry.path) for entry in entries]
    wanted = [(entry, file) for entry, file in wanted if entry.mode not in (bytewise.NOTHING, GITLINK)]
    to.mkdir(parents=True, exist_ok=True, mode=0o700)  # as among them may be what only the user could read
    for entry, file in wanted:
        bytewise.write(repo, entry, file)
        _fill_from_annex(repo, file)
    return [file for _, file in wanted]


def _free(name: str, taken: set[str]) -> str:
    """Return ``name``, with a number behind it where a file of the backup is called so."""
    names = (f"{name} {number}" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _fill_from_annex(repo: Repo, file: Path) -> None:
    """Put content from the annex in the place of a pointer to it; without it here the pointer stays."""
    if file.is_symlink() or file.stat().st_size > bytewise.POINTER_SIZE:
        return
    key = bytewise.annex_key(file.read_bytes())
    if key and (repo.common_dir() / "annex").is_dir():
        found = repo.git("annex", "contentlocation", key, ok=(0, 1))
        if found:
            from shutil import copyfile

            copyfile(repo.path / found, file)
