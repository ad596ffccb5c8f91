"""What a view of a project rests on: small files and folders, and what was found there.

As long as the same is found, what was seen is still so; all but edits of files and who works there. Looked
at in some 100 µs, without any program. No `from __future__ import annotations`: see
:mod:`wtwatch.words.model`.
"""

import time
from typing import Any, NamedTuple

from wtwatch.doors import traces

RACY = 50_000_000
"""Nanoseconds within which a file may change twice without a trace in its times (racy-git of git)."""


class Ground(NamedTuple):
    """Paths of what counts.

    Of small files their ``texts``, of folders the ``listings`` of names, of other files the ``stamps``: which
    they are, how large, and when they changed; of folders see :func:`wtwatch.doors.traces.stamp`.
    """

    texts: tuple[str, ...]
    listings: tuple[str, ...]
    stamps: tuple[str, ...]

    def look(self) -> list[Any]:
        """Return what is found there now, in a form that JSON keeps."""
        return traces.look(*self)

    def is_racy(self) -> bool:
        """Return whether something changed so lately that it could change again without being found out."""
        times = [stamp[3] for path in self.stamps if (stamp := traces.stamp(path))]
        return max(times, default=0) > time.time_ns() - RACY
