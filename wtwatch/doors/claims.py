"""A file that one process holds for its life, and of which others can ask who that is."""

from __future__ import annotations

import fcntl
import os
import struct

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from pathlib import Path


def claim(path: Path) -> int | None:
    """Become the single holder of ``path`` for the life of this process; ``None`` if another holds it.

    A record lock (fcntl(2)), so :func:`holder` can ask for its owner without taking it. The descriptor
    that is returned must stay open, and the file must not be opened and closed elsewhere in this process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def holder(path: Path | str) -> int | None:
    """Return the pid that holds ``path`` by :func:`claim`, or ``None``; takes nothing itself."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # struct flock of Linux on 64-bit machines: type, whence, start, length, pid
        question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack("hhqqi4x", fcntl.fcntl(handle, fcntl.F_GETLK, question))
    finally:
        os.close(handle)
    return None if answer[0] == fcntl.F_UNLCK else int(answer[4])
