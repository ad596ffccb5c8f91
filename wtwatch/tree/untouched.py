"""Whether the files of code are those among which git found no edit: by their stamps, without any git.

A file that was changed and changed back is not taken for the same; then git has to be asked. Loads nothing
but what Python has loaded at its start, and what is left can be marshalled.
"""

from __future__ import annotations

import os
import stat
import struct

from wtwatch.doors import gitindex, traces

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from typing import Any

Where = tuple[str, str, int, tuple[str, ...]]
"""A work tree, its index, the bytes of an id; and below which paths files count, or nothing for all."""

Left = tuple[Where, list[int] | None, list[gitindex.Entry], list[str], list[list[int] | None]]
"""Where that is; the index's stamp, what it lists; paths and their stamps."""

MANY = 5000
"""Files up to which this is quicker than to ask git."""

_FEW, _LARGE = 50, 1 << 20
"""So many files are read at most, each of so many bytes at most."""

_SECOND = 1_000_000_000
_HALF = 0xFFFFFFFF  # what an index has of each number


def look(top: str, index: str, width: int = 20, below: tuple[str, ...] = ()) -> Left | None:
    """Return how the work tree at ``top`` stands; ``None`` where files alone do not tell.

    It counts if git finds no edit after that, and a second look finds the same. ``below``: of these paths.
    """
    stamp, listed = traces.stamp(index), gitindex.entries(index, width, below)
    if listed is None or len(listed) > MANY:
        return None
    paths = list(dict.fromkeys(part for path, _, _ in listed for part in _with_folders(path)))
    return (top, index, width, below), stamp, listed, paths, _stamps(top, paths)


def newest(left: Left) -> int:
    """Return when a file of it was last changed, in nanoseconds since 1970."""
    return max((stamp[3] for stamp in left[-1] if stamp), default=0)


def holds(left: Any) -> bool:
    """Return whether all is as it was; a git that only writes its index anew changes nothing."""
    (top, *index), stamp, listed, paths, stamps = left
    if traces.stamp(index[0]) != stamp and gitindex.entries(*index) != listed:
        return False
    return bool(_stamps(top, paths) == stamps)


def is_clean(left: Left, tree: str) -> bool:
    """Return whether there is surely no edit against ``tree``, staged or not; else git has to be asked.

    As git tells it: by what it noted of each file, and by the bytes of one that may have changed since
    without a trace, being of the second in which the index was written (racy-git of git's technical
    documentation).
    """
    (top, index, width, below), stamp, listed, paths, stamps = left
    compared = gitindex.compared(index, width, below)
    if compared is None or compared[1].hex() != tree or traces.stamp(index) != stamp:
        return False
    try:
        written = os.stat(index).st_mtime_ns // _SECOND
    except OSError:
        return False
    known = dict(zip(paths, stamps, strict=True))
    if any((known[folder] or [])[2:] != [0, 0] for folder in _folders(listed)):  # a link, say
        return False
    unsure = [
        (path, mode, blob)
        for (path, mode, blob), noted in zip(listed, compared[0], strict=True)
        if not _is_as_noted(known[path], noted, written)
    ]
    return len(unsure) <= _FEW and all(_is_there(f"{top}/{path}", mode, blob) for path, mode, blob in unsure)


def _folders(listed: list[gitindex.Entry]) -> set[str]:
    return {folder for path, _, _ in listed for folder in _with_folders(path)[:-1]}


def _is_as_noted(stamp: list[int] | None, noted: bytes, written: int) -> bool:
    """Return whether a file is the one that git noted, and could not have changed since without a trace."""
    seconds, rest, _, _, _, inode, _, _, _, size = struct.unpack(">10L", noted)
    if stamp is None or seconds >= written:
        return False
    is_it = stamp[1] & _HALF == inode and stamp[2] & _HALF == size and stamp[3] == seconds * _SECOND + rest
    return bool(is_it)


def _is_there(file: str, mode: int, blob: bytes) -> bool:
    """Return whether a file is byte for byte what git has, of the same kind."""
    from pathlib import Path

    from wtwatch.tree import bytewise

    try:
        found = os.lstat(file)
        if stat.S_IFMT(found.st_mode) != stat.S_IFMT(mode) or found.st_size > _LARGE:
            return False
        if stat.S_ISREG(mode) and bool(found.st_mode & stat.S_IXUSR) != bool(mode & stat.S_IXUSR):
            return False
        return bool(bytewise.blob_id(Path(file), 2 * len(blob)) == blob.hex())
    except OSError:
        return False


def _with_folders(path: str) -> list[str]:
    """Return a path after the folders that it lies in: one of them may become a link to elsewhere."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _stamps(top: str, paths: list[str]) -> list[list[int] | None]:
    return [traces.stamp(os.path.join(top, path), follow=False) for path in paths]
