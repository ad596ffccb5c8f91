"""What a view of a project rests on: small files and folders, and what was found there.

As long as the same is found, what was seen is still so; all but edits of files and who works there. Looked
at in some 100 µs, without any program. No `from __future__ import annotations`: see
:mod:`wtwatch.words.model`.
"""

import os
import stat
import time
from typing import Any, NamedTuple

RACY = 50_000_000
"""Nanoseconds within which a file may change twice without a trace in its times (racy-git of git)."""

_MUCH = 65536


class Ground(NamedTuple):
    """Paths of what counts.

    Of small files their ``texts``, of folders the ``listings`` of names, of other files the ``stamps``: which
    they are, how large, and when they changed. Of a folder among these only which it is: a git directory
    changes with each command.
    """

    texts: tuple[str, ...]
    listings: tuple[str, ...]
    stamps: tuple[str, ...]

    def look(self) -> list[Any]:
        """Return what is found there now, in a form that JSON keeps."""
        return [
            *(_text(path) for path in self.texts),
            *(_names(path) for path in self.listings),
            *(_stamp(path) for path in self.stamps),
        ]

    def is_racy(self) -> bool:
        """Return whether something changed so lately that it could change again without being found out."""
        times = [stamp[3] for path in self.stamps if (stamp := _stamp(path))]
        return max(times, default=0) > time.time_ns() - RACY


def _text(path: str) -> str | None:
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


def _names(path: str) -> list[str] | None:
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 - names alone
    except OSError:
        return None


def _stamp(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the cost
    except OSError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return [found.st_dev, found.st_ino, 0, 0]
    return [found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns]
