"""What of a queue still matters: the batch that is under way, what comes next, and what failed unseen.

A batch matters while it has jobs that run or wait, or ones that failed and that nobody said they saw, or
results that ended since a given moment: the oldest commit that is not home yet. What was acknowledged does
not count, nor does a lifetime of finished work.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from wtwatch.queue.due import OpenBatch, OpenWork, for_a_move, under_way
from wtwatch.queue.rows import job_of
from wtwatch.words.model import Job, Outcome, Sha, moment, stamp

SHOWN = 3
"""Failed jobs that are named one by one, newest first."""

_OPEN = ("waiting", "running")
_BAD = (Outcome.FAILED.value, Outcome.INTERRUPTED.value)
_GOOD = (Outcome.SUCCEEDED.value, Outcome.UNCHANGED.value)


class Progress(NamedTuple):
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
    ``failed`` are the newest :data:`SHOWN` of those that nobody saw.
    """

    counts: Mapping[str, int]
    progress: Progress | None = None
    due: tuple[Upcoming, ...] = ()
    on_move: tuple[Upcoming, ...] = ()
    failed: tuple[Job, ...] = ()


def outlook_in(db: sqlite3.Connection, work: OpenWork, since: datetime | None) -> Outlook:
    """Return what still matters in an open database, ``work`` being all in it that is not over."""
    current = under_way(work)
    waiting = _waiting(db)
    due = sorted((batch for batch in work.batches if batch.due is not None), key=_place)
    return Outlook(
        counts=_counts(db, since),
        progress=_progress(db, current) if current is not None else None,
        due=tuple(Upcoming(batch.id, waiting[batch.id]) for batch in due if batch.code_sha is None),
        on_move=tuple(Upcoming(batch.id, waiting[batch.id]) for batch in for_a_move(work)),
        failed=_failed(db),
    )


def _place(batch: OpenBatch) -> int:
    return batch.due or 0


def _waiting(db: sqlite3.Connection) -> dict[int, int]:
    rows = db.execute("SELECT batch, count(*) FROM jobs WHERE state = 'waiting' GROUP BY batch")
    return dict(rows.fetchall())


def _counts(db: sqlite3.Connection, since: datetime | None) -> dict[str, int]:
    rows = db.execute(
        "SELECT state, count(*) FROM jobs WHERE batch IN ("
        "  SELECT batch FROM jobs WHERE state IN (?, ?)"
        "  UNION SELECT batch FROM jobs WHERE state IN (?, ?) AND NOT acknowledged"
        "  UNION SELECT batch FROM jobs WHERE state IN (?, ?) AND ended >= ?"
        ") AND NOT (acknowledged AND state IN (?, ?)) GROUP BY state",
        (*_OPEN, *_BAD, *_GOOD, stamp(since) if since else "~", *_BAD),  # "~" comes after each moment
    )
    return dict(rows.fetchall())


def _progress(db: sqlite3.Connection, batch: int) -> Progress:
    code = db.execute("SELECT code FROM batches WHERE id = ?", (batch,)).fetchone()["code"]
    rows = db.execute("SELECT state, started, ended FROM jobs WHERE batch = ?", (batch,)).fetchall()
    over = [row for row in rows if row["state"] not in _OPEN]
    ran = [row for row in over if row["started"] and row["state"] in (*_GOOD, Outcome.FAILED.value)]
    began = min((row["started"] for row in rows if row["started"]), default=None)
    return Progress(
        id=batch,
        jobs=len(rows),
        ended=len(over),
        failed=sum(row["state"] in _BAD for row in over),
        code_sha=Sha(code) if code else None,
        began=moment(began) if began else None,
        seconds=sum((moment(row["ended"]) - moment(row["started"])).total_seconds() for row in ran),
        timed=len(ran),
    )


def _failed(db: sqlite3.Connection) -> tuple[Job, ...]:
    rows = db.execute(
        "SELECT * FROM jobs WHERE state IN (?, ?) AND NOT acknowledged ORDER BY ended DESC, id DESC LIMIT ?",
        (*_BAD, SHOWN),
    )
    return tuple(job_of(row) for row in rows)
