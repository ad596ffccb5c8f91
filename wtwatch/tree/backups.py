"""What a sync takes out of the way: kept as commits under refs of their own, listed, shown and restored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import CommandFailed, NoIdentity, UsageError, WtwatchError
from wtwatch.words.model import Backup, Sha, now

STAGED = "what was staged"
"""The folder of a restored backup that holds what was staged, where it differs from the files."""

_TIME = "%Y%m%dT%H%M%SZ"
_STAGED_COMMIT = "wtwatch: what was staged"
_ASIDE = "Set aside in: "

_NOBODY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "wtwatch"), ("EMAIL", "wtwatch@localhost"))
}
"""Whom a backup names where git knows nobody."""


def create(
    tree: RunTree,
    base: Sha,
    doomed: Sequence[str],
    also: Sequence[Sha] = (),
    aside: Path | None = None,
) -> Backup:
    """Keep all that the run tree's code has beyond ``base``; the tree and its index stay untouched.

    Kept are staged and unstaged content of tracked files, the files ``doomed`` (untracked or ignored ones
    in the way of a move, relative to the code folder), and the commits ``also``; ``aside`` is a folder to
    which the caller moves what is too big for git. The backup commit has the state of the files, byte for
    byte; its second parent, where it differs, the state of the index. Raises :class:`CommandFailed` when a
    file cannot be read; then nothing may move.
    """
    import shutil

    code = Repo(tree.code_path)
    with scratch_folder("backup-", tree.state) as scratch:
        index = scratch / "index"
        # with its time: git distrusts what changed as late as that (racy-git of git's technical notes)
        shutil.copy2(code.git_dir() / "index", index)
        env = {"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"}
        parents = [base]
        staged = _staged_tree(code, env)
        if staged and staged != code.git("rev-parse", f"{base}^{{tree}}"):
            parents.append(_commit(code, staged, [base], _STAGED_COMMIT))
        bytewise = _without_filters(code)
        code.git(*bytewise, "add", "-u", env=env)
        if doomed:
            words = ("add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul")
            code.git(*bytewise, *words, env=env, stdin="\0".join(doomed))
        files = code.git("write-tree", env=env)
        parents += [commit for commit in dict.fromkeys(also) if commit not in parents]
        message = f"wtwatch: backup of {tree.project.name}'s run tree before a sync"
        commit = _commit(code, files, parents, message + (f"\n\n{_ASIDE}{aside}" if aside else ""))
    made = now()
    name = f"{made.strftime(_TIME)}-{os.urandom(3).hex()}"
    code.update_ref(tree.backup_prefix + name, commit, ZERO, "backup")
    return Backup(name, commit, made, _summary(code, commit))


def _without_filters(code: Repo) -> list[str]:
    """Return the options that make git take files as they are, without a clean filter of the user's.

    Such a filter drops what it is made to drop, the outputs of a notebook say. That of git-annex moves
    content into the annex, and stays.
    """
    settings = code.git("config", "--name-only", "--get-regexp", r"^filter\..*\.", ok=(0, 1)).splitlines()
    drivers = {setting.split(".", 1)[1].rsplit(".", 1)[0] for setting in settings} - {"annex"}
    values = ("clean=", "smudge=", "process=", "required=false")
    return [word for name in sorted(drivers) for value in values for word in ("-c", f"filter.{name}.{value}")]


def _staged_tree(code: Repo, env: dict[str, str]) -> str | None:
    try:
        return code.git("write-tree", env=env)
    except CommandFailed:  # unmerged entries: the two sides are in commits, the attempt is in the files
        return None


def _commit(code: Repo, tree: str, parents: Sequence[Sha], message: str) -> Sha:
    try:
        return code.commit_tree(tree, parents, message)
    except NoIdentity:  # what is in the way is kept, whoever put it there
        return code.commit_tree(tree, parents, message, env=_NOBODY)


def _summary(code: Repo, commit: Sha) -> str:
    files = changed_files(code, commit)
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    kept = ", ".join(map(_shown, files[:2])) + more if files else "commits only"
    aside = _set_aside(code, commit)
    if aside:
        return f"{kept}; moved to {aside}" if files else f"moved to {aside}"
    return kept


def _shown(path: str) -> str:
    """Return a path as a person can read it on one line."""
    return path if path.isprintable() else ascii(path)


def _set_aside(code: Repo, commit: Sha) -> str | None:
    lines = code.git("log", "-1", "--format=%b", commit).splitlines()
    return next((line.removeprefix(_ASIDE) for line in lines if line.startswith(_ASIDE)), None)


def changed_files(code: Repo, commit: Sha) -> list[str]:
    """Return the paths in which a backup differs from the commit that the run tree was parked at.

    Also those that were staged alone, and changed back in the files.
    """
    found = _differing(code, f"{commit}^1", commit)
    staged = _staged_of(code, commit)
    return found + [
        path for path in (_differing(code, f"{commit}^1", staged) if staged else ()) if path not in found
    ]


def _differing(code: Repo, old: str, new: str) -> list[str]:
    listing = code.git("diff-tree", "-r", "--name-only", "--no-renames", "-z", old, new)
    return [path for path in listing.split("\0") if path]


def _staged_of(code: Repo, commit: Sha) -> Sha | None:
    """Return the commit that holds what was staged, if the backup has one."""
    second = code.resolve(f"{commit}^2")
    return second if second and code.subject(second) == _STAGED_COMMIT else None


def listing(tree: RunTree) -> list[Backup]:
    """Return the project's backups, oldest first."""
    code = Repo(tree.project.main_code)
    found = []
    for ref, commit in sorted(code.refs(tree.backup_prefix).items()):
        name = ref.removeprefix(tree.backup_prefix)
        with suppress(ValueError):  # a ref that somebody else put there
            made = datetime.strptime(name.split("-")[0], _TIME).replace(tzinfo=UTC)
            found.append(Backup(name, commit, made, _summary(code, commit)))
    return found


def find(tree: RunTree, name: str) -> Backup:
    """Return the backup whose id is ``name`` or starts with it; raises :class:`UsageError`."""
    fits = [backup for backup in listing(tree) if backup.id.startswith(name)]
    if len(fits) != 1:
        problem = "is no backup" if not fits else f"fits {len(fits)} backups"
        raise UsageError(f"{name!r} {problem} of {tree.project.name}.", "`wtwatch backups list` shows them.")
    return fits[0]


def show(tree: RunTree, backup: Backup) -> str:
    """Return what a backup holds against the commit it was taken from, as a patch with a summary.

    Then what was staged, where that was something else, the commits it keeps, and what was set aside where.
    """
    code = Repo(tree.project.main_code)
    diff = ("diff", "--no-ext-diff", "--no-color", "--stat", "--patch")
    parts = [code.git(*diff, f"{backup.commit}^1", backup.commit)]
    staged = _staged_of(code, backup.commit)
    if staged and _differing(code, staged, backup.commit):
        parts.append(f"What was staged ({staged[:10]}):\n\n" + code.git(*diff, f"{staged}^1", staged))
    base, *more = code.git("log", "-1", "--format=%P", backup.commit).split()
    kept = [base, *(commit for commit in more if commit != staged)]
    parts.append(
        "Commits:\n" + code.git("log", "--no-walk=unsorted", "--no-color", "--format=  %h %s", *kept)
    )
    aside = _set_aside(code, backup.commit)
    if aside:
        parts.append(f"Moved to {aside}.")
    return "\n\n".join(filter(None, parts))


def restore(tree: RunTree, backup: Backup, to: Path) -> list[Path]:
    """Write the files of a backup below ``to``, a folder that is new or empty; return their paths.

    What was staged and differs from the file goes below ``to``/:data:`STAGED`. The run tree is never written
    into: it would be dirty again. Deleted files are not among them.
    """
    if os.path.lexists(to) and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists and is not an empty folder.", "Name another with --to DIR.")
    code = Repo(tree.project.main_code)
    to.mkdir(parents=True, exist_ok=True)
    made = _write(tree, backup.commit, f"{backup.commit}^1", to)
    staged = _staged_of(code, backup.commit)
    if staged:
        unlike = set(_differing(code, staged, backup.commit))
        made += _write(tree, staged, f"{staged}^1", to / STAGED, unlike)
    return made


def _write(tree: RunTree, commit: Sha, base: str, to: Path, only: set[str] | None = None) -> list[Path]:
    """Write the files in which ``commit`` differs from ``base`` below ``to``, byte for byte."""
    code = Repo(tree.project.main_code)
    shape = ("diff-tree", "-r", "--name-only", "--no-renames", "--diff-filter=d", "-z", base, commit)
    wanted = [path for path in code.git(*shape).split("\0") if path and (only is None or path in only)]
    with scratch_folder("restore-", tree.state) as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        code.git("read-tree", commit, env=env)
        target = f"--prefix={to.resolve()}{os.sep}"
        words = (*_without_filters(code), "checkout-index", "-z", "--stdin", target)
        code.git(*words, env=env, stdin="\0".join(wanted))
    missing = [path for path in wanted if not os.path.lexists(to / path)]
    if missing:
        raise WtwatchError(f"{len(missing)} files could not be written below {to}, such as {missing[0]}.")
    return [to / path for path in wanted]
