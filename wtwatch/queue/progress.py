"""How far the jobs are that somebody waits for: one look at the queue, at one moment."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.queue import due
from wtwatch.queue.batches import open_work
from wtwatch.queue.database import reading
from wtwatch.queue.due import OpenWork
from wtwatch.queue.rows import job_of
from wtwatch.words.model import Ended, Job, Sha, now, stamp

_RACY = 50_000_000
"""Nanoseconds within which a file may change twice without a trace in its times."""

_OPEN = ("waiting", "running")


class Progress(NamedTuple):
    """Where the jobs stand that somebody waits for.

    ``states`` has the word of each by its number, in the order in which they run; ``unseen`` are those of
    them that ended badly without anybody having said that they saw it, ``before`` those of these that nobody
    named and that had ended when the wait began. ``running`` is the job that runs, be it waited for or not,
    and of several in lanes the first, with the others in ``beside``; ``due`` how many jobs are due;
    ``coming``: a move was made by which more will be. ``mean`` is for how many seconds those ran that ended,
    ``None`` if none did.
    """

    states: Mapping[int, str]
    unseen: frozenset[int]
    running: Job | None
    due: int
    coming: bool
    paused: bool
    mean: float | None
    before: frozenset[int] = frozenset()
    beside: tuple[Job, ...] = ()

    def left(self) -> list[int]:
        """Return those that are not over."""
        return [job for job, word in self.states.items() if word in _OPEN]


class Waiter:
    """What somebody waits for: the jobs ``named``, or else (``None``) all that runs, is due, or will be.

    Then a job counts that is in a batch which was not over at the moment ``since`` (default: now), or came
    after that.
    """

    def __init__(
        self, file: Path, named: Collection[int] | None = None, since: datetime | None = None
    ) -> None:
        self.file = file
        self.named = None if named is None else tuple(named)
        self.since = since or now()
        self._batches: set[int] = set()
        self._newest: int | None = None
        self._stamp: object = None

    def changed(self) -> bool:
        """Return whether the queue may have changed since this was asked last; the file is not opened."""
        try:
            found = self.file.stat()
        except OSError:
            return True
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        racy = 0 <= time.time_ns() - found.st_mtime_ns < _RACY
        before, self._stamp = self._stamp, None if racy else stamp
        return racy or stamp != before

    def look(self, tip: Sha | None) -> Progress:
        """Return how far they are, where the bookmark is at ``tip``."""
        with reading(self.file) as db:
            work = open_work(db)
            self._follow(db, work)
            rows = db.execute(*self._question()).fetchall()
            runs = db.execute("SELECT * FROM jobs WHERE state = 'running' ORDER BY id").fetchall()
            waiting = db.execute(
                "SELECT count(*) FROM jobs JOIN batches ON batches.id = batch"
                " WHERE state = 'waiting' AND due IS NOT NULL"
            ).fetchone()[0]
        took = [row["took"] for row in rows if row["took"] is not None and row["state"] not in _OPEN]
        return Progress(
            {row["id"]: row["state"] for row in rows},
            frozenset(row["id"] for row in rows if row["unseen"]),
            job_of(runs[0]) if runs else None,
            waiting,
            tip is not None and due.pending(work, tip),
            work.paused,
            sum(took) / len(took) if took else None,
            frozenset(row["id"] for row in rows if row["unseen"] and self._was_over(row["ended"])),
            tuple(map(job_of, runs[1:])),
        )

    def jobs(self, numbers: Collection[int]) -> list[Job]:
        """Return the jobs of these numbers that are over, in the order in which they ended."""
        with reading(self.file) as db:
            rows = db.execute(
                "SELECT * FROM jobs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY ended, id",
                (json.dumps(list(numbers)),),
            ).fetchall()
        return [job for job in map(job_of, rows) if isinstance(job.state, Ended)]

    def _follow(self, db: sqlite3.Connection, work: OpenWork) -> None:
        """Note which batches are waited for by now."""
        self._batches |= {batch.id for batch in work.batches if batch.due is not None}
        if self._newest is None:
            self._newest = db.execute("SELECT coalesce(max(id), 0) FROM batches").fetchone()[0]
            just_over = db.execute("SELECT DISTINCT batch FROM jobs WHERE ended >= ?", (stamp(self.since),))
            self._batches |= {row["batch"] for row in just_over}
        since = db.execute("SELECT id FROM batches WHERE id > ? AND due IS NOT NULL", (self._newest,))
        self._batches |= {row["id"] for row in since}

    def _was_over(self, ended: str) -> bool:
        """Return whether a job that ended then was none that is waited for."""
        return self.named is None and ended < stamp(self.since)

    def _question(self) -> tuple[str, tuple[str]]:
        which = "batch" if self.named is None else "jobs.id"
        wanted = sorted(self._batches) if self.named is None else self.named
        return (
            "SELECT jobs.id, state, ended, (julianday(ended) - julianday(started)) * 86400 AS took,"
            " state IN ('failed', 'interrupted') AND NOT acknowledged AS unseen"
            " FROM jobs JOIN batches ON batches.id = batch"
            f" WHERE {which} IN (SELECT value FROM json_each(?))"
            " ORDER BY due IS NULL, due, batch, place",
            (json.dumps(wanted),),
        )


def before(file: Path, job: int) -> int | None:
    """Return how many jobs start before one that waits; ``None`` if it is not due, or does not wait."""
    with reading(file) as db:
        rows = db.execute(
            "SELECT jobs.id FROM jobs JOIN batches ON batches.id = batch"
            " WHERE state = 'waiting' AND due IS NOT NULL ORDER BY batches.code IS NULL, due, place"
        )
        return next((at for at, row in enumerate(rows) if row["id"] == job), None)
