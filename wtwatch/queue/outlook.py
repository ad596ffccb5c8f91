"""What of a queue still matters: the batch that is under way, what comes next, and what failed unseen.

A batch matters while it has jobs that run or wait, or ones that failed and that nobody said they saw, or
results that ended since a given moment: the oldest commit that is not home yet. What was acknowledged does
not count, nor does a lifetime of finished work.
"""

import sqlite3
from datetime import datetime

from wtwatch.queue.due import OpenBatch, OpenWork, for_a_move, under_way
from wtwatch.queue.prospects import BatchProgress, Outlook, Upcoming
from wtwatch.queue.rows import job_of
from wtwatch.words.model import Job, Outcome, Sha, moment, stamp

SHOWN = 3
"""Failed jobs that are named one by one, newest first."""

_OPEN = ("waiting", "running")
_BAD = (Outcome.FAILED.value, Outcome.INTERRUPTED.value)
_GOOD = (Outcome.SUCCEEDED.value, Outcome.UNCHANGED.value)


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


def _progress(db: sqlite3.Connection, batch: int) -> BatchProgress:
    code = db.execute("SELECT code FROM batches WHERE id = ?", (batch,)).fetchone()["code"]
    rows = db.execute("SELECT state, started, ended FROM jobs WHERE batch = ?", (batch,)).fetchall()
    over = [row for row in rows if row["state"] not in _OPEN]
    ran = [row for row in over if row["started"] and row["state"] in (*_GOOD, Outcome.FAILED.value)]
    began = min((row["started"] for row in rows if row["started"]), default=None)
    return BatchProgress(
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
