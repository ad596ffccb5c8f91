"""What of a queue still matters, as values; :mod:`wtwatch.queue.outlook` reads them off the database.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from wtwatch.words.model import Job, Sha


class BatchProgress(NamedTuple):
    """How far the batch is that is under way.

    ``began`` is when its first job started; ``seconds`` what those of its jobs took, together, that ran to an
    end, and ``timed`` how many these are: what is left is reckoned from them.
    """

    id: int
    jobs: int
    ended: int
    failed: int
    code_sha: Sha | None = None
    began: datetime | None = None
    seconds: float = 0.0
    timed: int = 0

    def left(self, running_for: float | None) -> float | None:
        """Return in how many seconds it ends, as its jobs went so far; ``None`` while none has ended.

        ``running_for``: for how many seconds one of its jobs runs, if one does.
        """
        if not self.timed:
            return None
        each = self.seconds / self.timed
        waiting = self.jobs - self.ended - (running_for is not None)
        return waiting * each + (max(0.0, each - running_for) if running_for is not None else 0.0)


class Upcoming(NamedTuple):
    """A batch that has not started, and how many of its jobs wait."""

    id: int
    jobs: int


class Outlook(NamedTuple):
    """All of that. ``due`` start one after the other, ``on_move`` become due by the next move.

    ``counts``: how many jobs of the batches that matter are in each state, without failures that were seen.
    ``failed`` are the newest few of those that nobody saw.
    """

    counts: Mapping[str, int]
    progress: BatchProgress | None = None
    due: tuple[Upcoming, ...] = ()
    on_move: tuple[Upcoming, ...] = ()
    failed: tuple[Job, ...] = ()
