"""Locks of git that a job left behind which was killed, or which was saved by a process that was."""

from __future__ import annotations

import time
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree.states import After, Before, locks_of, shared_locks_of
from wtwatch.words.errors import Busy
from wtwatch.words.quoting import quoted

LASTING = 1.0
"""Seconds after which a lock of a ref belongs to nobody that lives."""


def drop(tree: RunTree, then: Before, after: After, again: bool) -> None:
    """Take away the locks of a git that was killed with the job, or with clearing up if that began before.

    Raises :class:`Busy` for others, since somebody's git holds them that cannot be seen.
    """
    known = {lock for state in then.datasets for lock in state.locks}
    for state in after.datasets:
        repo = Repo(tree.path / state.path)
        shared = shared_locks_of(repo, state.branch)
        for lock in locks_of(repo, state.branch):
            if not lock.exists():
                continue
            left = str(lock) not in known and (again or str(lock) in state.locks)
            if lock in shared and not (left and _lasts(lock)):
                continue  # somebody works in the main tree
            if not left:
                raise Busy(
                    f"{lock} is held by another git than the job's.",
                    f"Wait for that git to end. If none runs, remove it: rm {quoted(lock)}",
                )
            lock.unlink()  # git writes a lock anew each time, and reads none


def _lasts(lock: Path) -> bool:
    """Return whether a lock stays the same for a while: that of a ref is held for milliseconds."""
    deadline, first = time.monotonic() + LASTING, _inode(lock)
    while first is not None and _inode(lock) == first:
        if time.monotonic() >= deadline:
            return True
        time.sleep(0.02)
    return False


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None
