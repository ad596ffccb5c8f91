"""What a sync takes out of the way: kept as commits under refs of their own, listed, shown and restored."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wtwatch.config import Project
from wtwatch.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.model import Backup, Sha, now
from wtwatch.repo import ZERO, Repo

_TIME = "%Y%m%dT%H%M%SZ"


def prefix(project: Project) -> str:
    """Return the start of the refs that hold the project's backups."""
    return f"{project.ref_prefix}/backup/"


def create(project: Project, base: Sha, doomed: Sequence[str], also: Sequence[Sha] = ()) -> Backup:
    """Keep all that the run tree's code has beyond ``base``; the tree and its index stay untouched.

    Kept are staged and unstaged content of tracked files, the files ``doomed`` (untracked or ignored ones
    in the way of a move, relative to the code folder), and the commits ``also``. The backup commit has the
    state of the files; its second parent, where it differs, the state of the index. Raises
    :class:`CommandFailed` when a file cannot be read; then nothing may move.
    """
    code = Repo(project.run_code)
    with tempfile.TemporaryDirectory(dir=project.state, prefix="backup-") as scratch:
        index = Path(scratch) / "index"
        shutil.copyfile(code.git_dir() / "index", index)
        env = {"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"}
        parents = [base]
        staged = _staged_tree(code, env)
        if staged and staged != code.git("rev-parse", f"{base}^{{tree}}"):
            parents.append(_commit(code, staged, [base], "wtwatch: what was staged"))
        code.git("add", "-u", env=env)
        if doomed:
            listed = "\0".join(doomed)
            code.git("add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul", env=env, stdin=listed)
        tree = code.git("write-tree", env=env)
        parents += [commit for commit in also if commit not in parents]
        commit = _commit(code, tree, parents, f"wtwatch: backup of {project.name}'s run tree before a sync")
    made = now()
    name = f"{made.strftime(_TIME)}-{os.urandom(3).hex()}"
    code.update_ref(prefix(project) + name, commit, ZERO, "backup")
    return Backup(name, commit, made, _summary(code, commit))


def _staged_tree(code: Repo, env: dict[str, str]) -> str | None:
    try:
        return code.git("write-tree", env=env)
    except CommandFailed:  # unmerged entries: the two sides are in commits, the attempt is in the files
        return None


def _commit(code: Repo, tree: str, parents: Sequence[Sha], message: str) -> Sha:
    chain = [word for parent in parents for word in ("-p", parent)]
    return Sha(code.git("commit-tree", tree, *chain, "-m", message))


def _summary(code: Repo, commit: Sha) -> str:
    files = changed_files(code, commit)
    if not files:
        return "commits only"
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    return ", ".join(files[:2]) + more


def changed_files(code: Repo, commit: Sha) -> list[str]:
    """Return the paths in which a backup differs from the commit that the run tree was parked at."""
    listing = code.git("diff-tree", "-r", "--name-only", "--no-renames", "-z", f"{commit}^1", commit)
    return [path for path in listing.split("\0") if path]


def listing(project: Project) -> list[Backup]:
    """Return the project's backups, oldest first."""
    code = Repo(project.main_code)
    found = []
    for ref, commit in sorted(code.refs(prefix(project)).items()):
        name = ref.removeprefix(prefix(project))
        made = datetime.strptime(name.split("-")[0], _TIME).replace(tzinfo=UTC)
        found.append(Backup(name, commit, made, _summary(code, commit)))
    return found


def find(project: Project, name: str) -> Backup:
    """Return the backup whose id is ``name`` or starts with it; raises :class:`UsageError`."""
    fits = [backup for backup in listing(project) if backup.id.startswith(name)]
    if len(fits) != 1:
        problem = "is no backup" if not fits else f"fits {len(fits)} backups"
        raise UsageError(f"{name!r} {problem} of {project.name}.", "`wtwatch backups list` shows them.")
    return fits[0]


def show(project: Project, backup: Backup) -> str:
    """Return what a backup holds against the commit it was taken from, as a patch with a summary."""
    return Repo(project.main_code).git("diff", "--stat", "--patch", f"{backup.commit}^1", backup.commit)


def restore(project: Project, backup: Backup, to: Path) -> list[Path]:
    """Write the files of a backup below ``to``, a folder that is new or empty; return their paths.

    The run tree is never written into: it would be dirty again. Deleted files are not among them.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists and is not an empty folder.", "Name another with --to DIR.")
    code = Repo(project.main_code)
    present = code.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", backup.commit).split("\0")
    wanted = sorted(set(changed_files(code, backup.commit)) & set(present))
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.state, prefix="restore-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_LITERAL_PATHSPECS": "1"}
        code.git("read-tree", backup.commit, env=env)
        target = str(to.resolve()) + os.sep
        code.git("checkout-index", "-z", "--stdin", f"--prefix={target}", env=env, stdin="\0".join(wanted))
    missing = [path for path in wanted if not os.path.lexists(to / path)]
    if missing:
        raise WtwatchError(f"{len(missing)} files could not be written below {to}, such as {missing[0]}.")
    return [to / path for path in wanted]
