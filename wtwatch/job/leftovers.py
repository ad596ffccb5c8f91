"""What a job left that did not succeed: moved out of the run tree by rename, never into git or an annex.

Afterwards superdataset and subdatasets stand as they are committed, so that the next job starts clean. Code
is left alone: a sync looks after it.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from wtwatch.doors.files import sync_folder
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.tree.changes import changes_in, subdatasets, unlocked
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

NOTE = "COMMITS-IN-SUBDATASETS.txt"
"""The file among the leftovers that names commits which no commit of the superdataset took in."""

_PATIENCE = 2.0
"""Seconds to wait for a lock file of git to go by itself."""


def clear(tree: RunTree, name: str, since: datetime) -> Path | None:
    """Move what the attempt ``name`` left into its folder beside the run tree; return that, unless empty.

    Whoever calls holds the lock of the run tree, and no process of the attempt is alive; ``since`` is when
    it started. Safe to call again after it was cut off.
    """
    place = tree.shelf / "jobs" / name
    env = excludes_env(tree)
    inside = [sub.path for sub in subdatasets(tree.path) if sub.installed and sub.path != tree.project.code]
    for path in [*reversed(inside), ""]:
        _break_stale_locks(Repo(tree.path / path), since)
        _clear_one(tree, path, place, env, since)
    for path in inside:
        _back_to_recorded(tree, path, place, name)
    if not place.exists():
        return None
    sync_folder(place.parent)
    _forget_old(tree)
    return place


def _clear_one(tree: RunTree, path: str, place: Path, env: Mapping[str, str], since: datetime) -> None:
    """Clear one repository of the run tree, of which ``path`` is the place from the top."""
    folder = tree.path / path
    found = changes_in(folder, env)
    contents = unlocked(folder, found)
    for change in found:
        _open_folders(folder, change.path)
    for change in found:
        gone = change.unstaged == "D" or change.gitlink
        same = change.unstaged == "." and _has_content(folder / change.path, contents.get(change.path), since)
        if not gone and not same:
            _move_out(folder, change.path, place / path)
    back = [change for change in found if not change.untracked]
    for change in back:
        for obstacle in () if change.gitlink else _obstacles(folder, change.path):
            _move_out(folder, obstacle, place / path)
    _restore(folder, [change.path for change in back if not change.gitlink], "--staged", "--worktree")
    _restore(folder, [change.path for change in back if change.gitlink], "--staged")
    if any(change.in_head[0] == "100644" for change in back) and _is_annexed(folder):
        # git leaves a pointer where an unlocked annexed file has to be (git-annex-smudge(1))
        Repo(folder).git("annex", "smudge", "--update")


def _open_folders(tree: Path, path: str) -> None:
    """Give the right to write back where a job took it from the folders above ``path``, and from itself."""
    for folder in (tree / path, *(tree / above for above in Path(path).parents)):
        if folder.is_dir() and not folder.is_symlink() and not os.access(folder, os.W_OK | os.X_OK):
            folder.chmod(folder.stat().st_mode | 0o700)


def _has_content(unlocked_file: Path, content: Path | None, since: datetime) -> bool:
    """Return whether an unlocked file is as it was in the annex.

    ``git annex unlock`` keeps the time of the content. For a newer file git's word is not enough: in a copy
    of a dataset, git-annex compares by size and second alone (see ``.git/annex/sentinal``).
    """
    if content is None:
        return False
    old = unlocked_file.stat().st_mtime < since.timestamp()
    return old or (content.exists() and filecmp.cmp(unlocked_file, content, shallow=False))


def _is_annexed(tree: Path) -> bool:
    return bool(Repo(tree).git("config", "annex.uuid", ok=(0, 1)))


def _restore(tree: Path, paths: list[str], *where: str) -> None:
    if paths:
        words = ["--literal-pathspecs", "restore", "--source=HEAD", *where]
        files = ["--pathspec-from-file=-", "--pathspec-file-nul"]
        Repo(tree).git(*words, *files, stdin="".join(f"{path}\0" for path in paths))


def _move_out(tree: Path, path: str, place: Path) -> None:
    source = tree / path
    if path.endswith("/") and not (source / ".git").is_dir():
        return  # a worktree of another repository, which a rename would break: it stays, and is named
    if not os.path.lexists(source):
        return
    target = _vacant(place / path)
    target.parent.mkdir(parents=True, exist_ok=True)
    annexed = _annex_object(source)
    if annexed is not None:  # the way to the content would not lead there from elsewhere
        target.symlink_to(annexed)
        source.unlink()
    else:
        shutil.move(source, target)
    _drop_empty_parents(source.parent, tree)


def _obstacles(tree: Path, path: str) -> Iterator[str]:
    """Yield what git ignores, but lies where a file has to be put back: a folder there, or a file above."""
    for parent in reversed(Path(path).parents):
        if (tree / parent).is_symlink() or (tree / parent).is_file():
            yield str(parent)
            return
    if (tree / path).is_dir() and not (tree / path).is_symlink():
        yield path


def _vacant(path: Path) -> Path:
    number = 1
    vacant = path
    while os.path.lexists(vacant):
        number += 1
        vacant = path.with_name(f"{path.name}~{number}")
    return vacant


def _annex_object(file: Path) -> Path | None:
    """Return the content that a locked annexed file points to, if it is one."""
    if not file.is_symlink() or "annex/objects/" not in str(file.readlink()):
        return None
    return file.resolve()


def _drop_empty_parents(folder: Path, top: Path) -> None:
    while folder != top:
        try:
            folder.rmdir()
        except OSError:  # something is left in it
            return
        folder = folder.parent


def _back_to_recorded(tree: RunTree, path: str, place: Path, name: str) -> None:
    """Put a subdataset back to the commit that its superdataset names, keeping newer commits by a ref."""
    repo = Repo(tree.path / path)
    above, below = _superdataset(tree.path, path)
    entry = above.tree("HEAD", below).get(below)
    head = repo.resolve("HEAD")
    if entry is None or head is None or entry.sha == head:
        return
    kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
    place.mkdir(parents=True, exist_ok=True)
    with (place / NOTE).open("a", encoding="utf-8", errors="surrogateescape") as note:
        note.write(f"{path}: {head} is kept there as {kept}\n")
    branch = repo.branch()
    repo.git("checkout", "-q", "--no-overwrite-ignore", "--detach", entry.sha)
    if branch:
        repo.git("update-ref", "-m", "wtwatch: clear up", f"refs/heads/{branch}", entry.sha, head)
        repo.git("symbolic-ref", "-m", "wtwatch: clear up", "HEAD", f"refs/heads/{branch}")
    if _is_annexed(repo.path):
        repo.git("annex", "smudge", "--update")


def _superdataset(top: Path, path: str) -> tuple[Repo, str]:
    """Return the repository in which ``path`` is a subdataset, and the path from there."""
    folder = (top / path).parent
    while folder != top and not (folder / ".git").exists():
        folder = folder.parent
    return Repo(folder), (top / path).relative_to(folder).as_posix()


def _keep(repo: Repo, ref: str, commit: Sha) -> str:
    number = 1
    vacant = ref
    while (there := repo.resolve(vacant)) not in (None, commit):
        number += 1
        vacant = f"{ref}-{number}"
    if there is None:
        repo.update_ref(vacant, commit, ZERO, "commits of a job that did not succeed")
    return vacant


def _break_stale_locks(repo: Repo, since: datetime) -> None:
    """Take away the lock files that a git left which was killed with the job; wait for one that works."""
    locks = _locks(repo)
    deadline = time.monotonic() + _PATIENCE
    while any(lock.exists() for lock in locks) and time.monotonic() < deadline:
        time.sleep(0.02)
    for lock in locks:
        if not lock.exists():
            continue
        if lock.stat().st_mtime < since.timestamp():
            raise WtwatchError(
                f"{lock} is held by another git, and was before the job started.",
                "Wait for that git to end. If none runs, remove the file.",
            )
        lock.unlink()  # git writes a lock anew each time, and reads none


def _locks(repo: Repo) -> list[Path]:
    own = repo.git_dir()
    branch = repo.branch()
    locks = [own / "index.lock", own / "HEAD.lock"]
    if branch:
        locks.append(repo.common_dir() / "refs" / "heads" / f"{branch}.lock")
    return locks


def _forget_old(tree: RunTree) -> None:
    """Delete the leftovers of all but the newest attempts, unless there is a repository among them."""
    folders = sorted((tree.shelf / "jobs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in folders[: max(len(folders) - max(tree.project.keep_failed, 1), 0)]:
        if not _holds_repository(folder):
            _delete(folder)


def _holds_repository(folder: Path) -> bool:
    return any(".git" in (*folders, *files) for _, folders, files in os.walk(folder))


def _delete(folder: Path) -> None:
    for inner in _folders(folder):
        inner.chmod(0o700)  # a job may have left folders that may not be changed
    shutil.rmtree(folder)


def _folders(folder: Path) -> Iterable[Path]:
    yield folder
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            yield from _folders(inner)
