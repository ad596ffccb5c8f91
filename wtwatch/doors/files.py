"""Files that are whole or not there, and locks that the kernel drops when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wtwatch.doors.claims import claim as claim  # noqa: PLC0414 - part of what this door offers
from wtwatch.doors.claims import holder as holder  # noqa: PLC0414
from wtwatch.doors.processes import holding
from wtwatch.words.errors import Locked


def write_whole(path: Path, text: str) -> None:
    """Leave either the old file or the new one at ``path``, even after a power cut.

    Its folder is there: made here, it would come back as a ghost where a tree was moved away this moment.
    """
    import tempfile

    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(draft).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(draft).unlink()
        raise
    sync_folder(path.parent)


def make_within(home: Path, folder: Path) -> None:
    """Make ``folder``, which lies below ``home``; raises :class:`FileNotFoundError` if that is not there."""
    for step in (*reversed(folder.relative_to(home).parents[:-1]), folder.relative_to(home)):
        (home / step).mkdir(exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` outlive a power cut (fsync(2): the entry needs a sync of its own)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_disk(folder: Path) -> None:
    """Have all that was written to the file system of ``folder`` outlive a power cut (syncfs(2)).

    For what other programs wrote: git syncs neither refs nor loose objects, unless it is told to.
    """
    import ctypes

    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(folder))
    finally:
        os.close(handle)


@contextmanager
def scratch_folder(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """Make a folder below ``within`` (default: the system's place for such), gone when the body ends."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=within, prefix=prefix) as name:
        yield Path(name)


def bell_in(common: Path) -> Path:
    """Return the file that hooks and commands touch so that the daemon looks at a code repository.

    ``common`` is the git directory that all work trees of the repository share.
    """
    return common / "wtwatch" / "bell"


def ring(bell: Path) -> None:
    """Touch ``bell`` so that a daemon that watches its folder looks; no folder, no daemon, no error."""
    with suppress(OSError), bell.open("w"):
        pass


@contextmanager
def held(lock: Path, wait: float = 0.0, what: str = "the run tree") -> Iterator[int]:
    """Hold ``lock`` (flock(2)) while the body runs; yield its descriptor, which a child may inherit.

    A child that inherits the descriptor goes on holding the lock after the body ended. Raises
    :class:`Locked` if somebody else still holds it after ``wait`` seconds. Its folder is there.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _flock(handle, lock, wait, what)
        yield handle
    finally:
        os.close(handle)


def _flock(handle: int, lock: Path, wait: float, what: str) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holders = tuple(holding(lock))
                named = ", ".join(f"{process.name} (pid {process.pid})" for process in holders)
                raise Locked(
                    f"Another command of wtwatch works on {what} right now{named and f': {named}'}.",
                    "Wait for it to end.",
                    holders,
                ) from None
            time.sleep(0.01)
