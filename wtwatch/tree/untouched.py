"""Whether the files of code are those among which git found no edit: by their stamps, without any git.

A file that was changed and changed back is not taken for the same; then git has to be asked. Loads nothing
but what Python has loaded at its start, and what is left can be marshalled.
"""

from __future__ import annotations

import os

from wtwatch.doors import gitindex, traces

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from typing import Any

Left = tuple[str, str, int, list[int] | None, list[gitindex.Entry], list[str], list[list[int] | None]]
"""A work tree, its index, the bytes of an id; the index's stamp, what it lists; paths and their stamps."""

MANY = 5000
"""Files up to which this is quicker than to ask git."""


def look(top: str, index: str, width: int = 20) -> Left | None:
    """Return how the work tree at ``top`` stands; ``None`` where files alone do not tell.

    It counts if git finds no edit after that, and a second look finds the same.
    """
    stamp, listed = traces.stamp(index), gitindex.entries(index, width)
    if listed is None or len(listed) > MANY:
        return None
    paths = list(dict.fromkeys(part for path, _, _ in listed for part in _with_folders(path)))
    return top, index, width, stamp, listed, paths, _stamps(top, paths)


def newest(left: Left) -> int:
    """Return when a file of it was last changed, in nanoseconds since 1970."""
    return max((stamp[3] for stamp in left[6] if stamp), default=0)


def holds(left: Any) -> bool:
    """Return whether all is as it was; a git that only writes its index anew changes nothing."""
    top, index, width, stamp, listed, paths, stamps = left
    if traces.stamp(index) != stamp and gitindex.entries(index, width) != listed:
        return False
    return bool(_stamps(top, paths) == stamps)


def _with_folders(path: str) -> list[str]:
    """Return a path after the folders that it lies in: one of them may become a link to elsewhere."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _stamps(top: str, paths: list[str]) -> list[list[int] | None]:
    return [traces.stamp(os.path.join(top, path), follow=False) for path in paths]
