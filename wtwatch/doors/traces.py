"""What tells whether something changed: small files whole, names in folders, stamps of files, a disk's room.

Looked at in some microseconds each, without any program and with nothing but what Python has loaded at its
start. Where there is nothing, or what is there may not be read, it is ``None``.
"""

from __future__ import annotations

import os
import stat

ROOM = 1024 * 1024
"""Bytes without which a disk counts as full: an attempt of a job reserves nearly as much for its end."""

_MUCH = 65536

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any


def look(texts: Iterable[str], listings: Iterable[str], stamps: Iterable[str]) -> list[Any]:
    """Return what is found now, in a form that JSON keeps."""
    return [*map(text, texts), *map(names, listings), *map(stamp, stamps)]


def text(path: str) -> str | None:
    """Return what a small file says."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(handle, _MUCH).decode("latin-1")
    except OSError:  # a folder
        return None
    finally:
        os.close(handle)


def names(path: str) -> list[str] | None:
    """Return the names in a folder."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return None


def stamp(path: str, follow: bool = True) -> list[int] | None:
    """Return which file it is, how large, and when it changed (nanoseconds); of a folder only which it is.

    A git directory changes with each command. Of one whose path ends with a slash also when names in it came
    or went, which is found out without listing it. Without ``follow`` a symbolic link is looked at itself.
    """
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return [found.st_dev, found.st_ino, 0, found.st_ctime_ns if path.endswith("/") else 0]
    return [found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns]


def is_full(folder: str | Path) -> bool:
    """Return whether the disk of a folder has less than :data:`ROOM` left for us; unknown: it has.

    One that is mounted for reading alone has none as well, and is not meant (squashfs, an image of a CD).
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    if found.f_flag & os.ST_RDONLY or not found.f_blocks:
        return False
    return found.f_bavail * found.f_frsize < ROOM
