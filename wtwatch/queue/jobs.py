"""The durable queue: batches, their jobs, and standing jobs.

Each call opens the database, does one whole thing, and closes it, so that the daemon, commands and
threads may use the same queue at the same time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from wtwatch.queue.database import changing, reading
from wtwatch.queue.facts import PAUSED, UNCLEARED, QueueFacts, is_paused
from wtwatch.queue.rows import job_of, spec_text, specs_text, standing_of, storable
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import (
    Ended,
    Foreign,
    Job,
    JobSpec,
    Outcome,
    Running,
    Sha,
    Standing,
    Trigger,
    Waiting,
    now,
    stamp,
)

JobId = int | str
"""A job's number, or ``s1`` for the first standing jobs, as people write them."""

_DIGITS = 18
"""Digits of the greatest number that SQLite surely holds (https://sqlite.org/datatype3.html)."""

WORDS = ("waiting", "running", *(outcome.value for outcome in Outcome))
ENDED = tuple(outcome.value for outcome in Outcome)
_SUPERSEDED = "superseded by batch "
_COLUMNS = (
    "batch, place, attempt, spec, queued, state, started, code, base, uuid, ended, exit, commits, detail, "
    "cancel_requested, acknowledged"
)
_UNFINISHED = (
    "EXISTS (SELECT 1 FROM jobs WHERE jobs.batch = batches.id AND jobs.state IN ('waiting', 'running'))"
)


class Queue(QueueFacts):
    """The queue of the project whose state lies in the folder ``state``; holds nothing open."""

    # what is to be done

    def add(self, specs: Sequence[JobSpec], trigger: Trigger, base: Sha) -> list[Job]:
        """Queue one batch and return its jobs.

        ``NOW`` is due at once; ``ON_MOVE`` once :meth:`fire` finds that the tip moved away from ``base``.
        """
        if trigger is Trigger.EVERY_MOVE:
            raise ValueError("standing jobs are queued by add_standing")
        with changing(self.file) as db:
            return _jobs(db, batch=_new_batch(db, specs, trigger, base))

    def add_standing(self, specs: Sequence[JobSpec], base: Sha) -> Standing:
        """Queue jobs that become a new batch at every move; ``base`` is the tip now."""
        with changing(self.file) as db:
            row = db.execute(
                "INSERT INTO standing (base, specs, queued) VALUES (?, ?, ?) RETURNING *",
                (base, specs_text(specs), stamp(now())),
            ).fetchone()
            return standing_of(row)

    def fire(self, tip: Sha, moved: Callable[[Sha, Sha], bool]) -> list[int]:
        """Make due what waited for this move, and return those batches; the run tree must be at ``tip``.

        ``moved(base, tip)`` says whether anything that jobs use differs, and is asked while nothing is held;
        where not, ``base`` becomes the tip and nothing starts. A batch of standing jobs that has not started
        yet is superseded, not doubled.
        """
        differs = {base: moved(base, tip) for base in self._bases() if base != tip}
        with changing(self.file) as db:
            fired = []
            for row in db.execute(
                f"SELECT id, base FROM batches WHERE due IS NULL AND {_UNFINISHED} ORDER BY id"
            ).fetchall():
                if differs.get(row["base"]):
                    _make_due(db, row["id"])
                    fired.append(row["id"])
            for row in db.execute("SELECT * FROM standing ORDER BY id").fetchall():
                template = standing_of(row)
                if differs.get(template.base):
                    fired.append(_renew(db, template, tip))
            for base in differs:  # what was queued meanwhile from elsewhere stays for the next call
                db.execute("UPDATE batches SET base = ? WHERE due IS NULL AND base = ?", (tip, base))
                db.execute("UPDATE standing SET base = ? WHERE base = ?", (tip, base))
            return fired

    def _bases(self) -> list[Sha]:
        """Return the tips since which something waits for a move."""
        with self._reading() as db:
            found = db.execute(
                f"SELECT base FROM batches WHERE due IS NULL AND {_UNFINISHED}"
                " UNION SELECT base FROM standing"
            )
            return [Sha(row["base"]) for row in found.fetchall()]

    def pending(self, tip: Sha) -> bool:
        """Return whether anything waits for a move to ``tip``, so that :meth:`fire` has to look."""
        with self._reading() as db:
            found = db.execute(
                f"SELECT EXISTS (SELECT 1 FROM batches WHERE due IS NULL AND base != ? AND {_UNFINISHED})"
                " OR EXISTS (SELECT 1 FROM standing WHERE base != ?)",
                (tip, tip),
            )
            return bool(found.fetchone()[0])

    def under_way(self) -> int | None:
        """Return the batch that has started and has jobs left: it keeps its code."""
        with self._reading() as db:
            row = db.execute(
                f"SELECT id FROM batches WHERE code IS NOT NULL AND {_UNFINISHED} ORDER BY due LIMIT 1"
            ).fetchone()
            return row["id"] if row else None

    def batch_code(self, batch: int) -> Sha | None:
        """Return the code commit that a batch runs on, from its first start."""
        with self._reading() as db:
            row = db.execute("SELECT code FROM batches WHERE id = ?", (batch,)).fetchone()
            return Sha(row["code"]) if row and row["code"] else None

    def next_job(self, though_paused: bool = False) -> Job | None:
        """Return the job to start next: of the batch under way, else of the one that has been due longest.

        ``None`` when paused (unless ``though_paused``), while a job runs, or when nothing is due.
        """
        with self._reading() as db:
            if is_paused(db) and not though_paused:
                return None
            if db.execute("SELECT 1 FROM jobs WHERE state = 'running'").fetchone():
                return None
            row = db.execute(
                "SELECT jobs.* FROM jobs JOIN batches ON batches.id = jobs.batch"
                " WHERE jobs.state = 'waiting' AND batches.due IS NOT NULL"
                " ORDER BY batches.code IS NULL, batches.due, jobs.place LIMIT 1"
            ).fetchone()
            return job_of(row) if row else None

    def unfinished(self, tip: Sha | None) -> bool:
        """Return whether a job runs, is due, or will be by a move to ``tip``, all seen at one moment.

        What a pause holds back is not due; without a tip there is no move.
        """
        with self._reading() as db:
            found = db.execute(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'running')"
                f" OR NOT {PAUSED} AND ("
                " EXISTS (SELECT 1 FROM jobs JOIN batches ON batches.id = jobs.batch"
                " WHERE jobs.state = 'waiting' AND batches.due IS NOT NULL)"
                f" OR EXISTS (SELECT 1 FROM batches WHERE due IS NULL AND base <> ? AND {_UNFINISHED})"
                " OR EXISTS (SELECT 1 FROM standing WHERE base <> ?))",
                (tip, tip),
            )
            return bool(found.fetchone()[0])

    # one job from start to end

    def begin(self, job: int, running: Running) -> None:
        """Record that a job was started; its batch takes the job's code, if this is its first.

        A job that was cancelled meanwhile runs all the same by now, so it is marked to be stopped. Raises
        :class:`WtwatchError` if its batch runs on other code, or if the job is gone.
        """
        with changing(self.file) as db:
            row = _row(db, job)
            code = db.execute("SELECT code FROM batches WHERE id = ?", (row["batch"],)).fetchone()["code"]
            if code not in (None, running.code):
                raise WtwatchError(f"Job {job} was started on {running.code}, but its batch runs on {code}.")
            db.execute("UPDATE batches SET code = ? WHERE id = ?", (running.code, row["batch"]))
            db.execute(
                "UPDATE jobs SET state = 'running', cancel_requested = ?, ended = NULL, detail = NULL,"
                " started = ?, code = ?, base = ?, uuid = ? WHERE id = ?",
                (
                    row["state"] == "cancelled",
                    stamp(running.started),
                    running.code,
                    running.base,
                    running.uuid,
                    job,
                ),
            )

    def end(self, job: int, ended: Ended) -> bool:
        """Record how a job ended, and that the tree is to be cleared up behind it; return whether it is news.

        One that ended already stays as it is, so saying it twice is harmless.
        """
        with changing(self.file) as db:
            row = _row(db, job)
            if row["state"] != "running":
                return False
            db.execute(
                "UPDATE jobs SET state = ?, ended = ?, exit = ?, commits = ?, detail = ? WHERE id = ?",
                (
                    ended.outcome.value,
                    stamp(ended.ended),
                    ended.exit,
                    json.dumps(ended.commits),
                    storable(ended.detail),
                    job,
                ),
            )
            facts = json.dumps({"job": job, "attempt": row["attempt"]})
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (UNCLEARED, facts))
            return True

    def add_detail(self, job: int, detail: str) -> None:
        """Add to what is said of how a job ended."""
        with changing(self.file) as db:
            said = "; ".join(filter(None, [_row(db, job)["detail"], storable(detail)]))
            db.execute("UPDATE jobs SET detail = ? WHERE id = ?", (said, job))

    def put_back(self, job: int, why: str) -> None:
        """Let a job wait again whose command did not begin; one that is to be stopped is cancelled."""
        with changing(self.file) as db:
            row = _row(db, job)
            if row["state"] != "running":
                return
            if row["cancel_requested"]:
                _cancel_waiting(db, job, why)
                return
            db.execute(
                "UPDATE jobs SET state = 'waiting', started = NULL, code = NULL, base = NULL, uuid = NULL"
                " WHERE id = ?",
                (job,),
            )

    def running(self) -> Job | None:
        """Return the job that runs."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1").fetchone()
            return job_of(row) if row else None

    def cancel_requested(self, job: int) -> bool:
        """Return whether somebody asked for a running job to be stopped."""
        with self._reading() as db:
            return bool(_row(db, job)["cancel_requested"])

    # looking

    def jobs(self, batch: int | None = None) -> list[Job]:
        """Return all jobs, or those of one batch, in order of batch and place."""
        with self._reading() as db:
            return _jobs(db, batch)

    def job(self, job: JobId) -> Job:
        """Return one job; raises :class:`UsageError` for an id that is not there."""
        with self._reading() as db:
            return job_of(_row(db, _number(job)))

    def find(self, job: int) -> Job | None:
        """Return one job, or ``None`` if it was removed."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
            return job_of(row) if row else None

    def attempts(self, job: JobId) -> list[Job]:
        """Return what the earlier attempts of a job came to, oldest first."""
        with self._reading() as db:
            number = _row(db, _number(job))["id"]
            rows = db.execute("SELECT *, job AS id FROM attempts WHERE job = ? ORDER BY attempt", (number,))
            return [job_of(row) for row in rows]

    def standing(self) -> list[Standing]:
        """Return the standing jobs; people write the id of the first as ``s1``."""
        with self._reading() as db:
            return [standing_of(row) for row in db.execute("SELECT * FROM standing ORDER BY id")]

    def wait_for_move(self) -> set[int]:
        """Return the batches that become due only after the next move."""
        with self._reading() as db:
            return {row["id"] for row in db.execute("SELECT id FROM batches WHERE due IS NULL")}

    def counts(self) -> dict[str, int | bool]:
        """Return the numbers of the contract's ``queue``: paused, and how many jobs are in each state."""
        with self._reading() as db:
            found = dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
            paused = is_paused(db)
        return {"paused": paused, **{word: found.get(word, 0) for word in WORDS}, "held": 0}

    def unseen(self) -> int:
        """Return how many jobs failed or were interrupted without anybody having said that they saw it."""
        with self._reading() as db:
            query = "SELECT count(*) FROM jobs WHERE state IN (?, ?) AND NOT acknowledged"
            return int(db.execute(query, (Outcome.FAILED.value, Outcome.INTERRUPTED.value)).fetchone()[0])

    # what people ask for

    def cancel(self, ids: Iterable[JobId]) -> list[Job]:
        """End waiting jobs, ask running ones to stop, take back standing ones; all, or none of them.

        Returns the running ones, which the daemon has to stop. Raises :class:`UsageError` for an unknown id
        or a job that ended.
        """
        with self._known() as db:
            running = []
            for job in ids:
                if _is_standing(job):
                    _drop_standing(db, job)
                    continue
                found = job_of(_row(db, _number(job)))
                if isinstance(found.state, Ended):
                    raise UsageError(
                        f"Job {job} is over already ({found.word}).", "See `wtwatch queue list`."
                    )
                if isinstance(found.state, Foreign):
                    raise UsageError(
                        f"Job {job} is {found.word}, a state that this version of wtwatch does not know.",
                        "Install the newer one again: pip install --upgrade wtwatch",
                    )
                if isinstance(found.state, Waiting):
                    _cancel_waiting(db, found.id, None)
                else:
                    db.execute("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", (found.id,))
                    running.append(job_of(_row(db, found.id)))
            return running

    def retry(self, ids: Iterable[JobId]) -> list[Job]:
        """Queue jobs that ended once more, as a new batch that is due now, in the order given.

        They keep their ids and count their attempts. Raises :class:`UsageError` for one that has not ended.
        """
        numbers = list(dict.fromkeys(_number(job) for job in ids))
        with self._known() as db:
            rows = [_row(db, number) for number in numbers]
            for row in rows:
                if row["state"] not in ENDED:
                    raise UsageError(
                        f"Job {row['id']} has not ended: it is {row['state']}.", "See `wtwatch queue list`."
                    )
                self._check_cleared(row["id"])
            if not rows:
                return []
            batch = _new_batch(db, (), Trigger.NOW, None)
            for place, row in enumerate(rows):
                db.execute(
                    f"INSERT INTO attempts (job, {_COLUMNS}) SELECT id, {_COLUMNS} FROM jobs WHERE id = ?",
                    (row["id"],),
                )
                db.execute(
                    "UPDATE jobs SET batch = ?, place = ?, attempt = attempt + 1, queued = ?,"
                    " state = 'waiting', started = NULL, code = NULL, base = NULL, uuid = NULL, ended = NULL,"
                    " exit = NULL, commits = '[]', detail = NULL, cancel_requested = 0, acknowledged = 0"
                    " WHERE id = ?",
                    (batch, place, stamp(now()), row["id"]),
                )
            return _jobs(db, batch)

    def remove(self, ids: Iterable[JobId]) -> list[int]:
        """Forget jobs, or standing ones; raises :class:`UsageError` for one that runs.

        Returns the numbers of the jobs, whose folders are no concern of the queue's.
        """
        with self._known() as db:
            gone = []
            for job in ids:
                if _is_standing(job):
                    _drop_standing(db, job)
                    continue
                row = _row(db, _number(job))
                if row["state"] == "running":
                    raise UsageError(f"Job {job} is running.", f"Stop it first: wtwatch queue cancel {job}")
                self._check_cleared(row["id"])
                db.execute("DELETE FROM attempts WHERE job = ?", (row["id"],))
                db.execute("DELETE FROM jobs WHERE id = ?", (row["id"],))
                gone.append(int(row["id"]))
            return gone

    def acknowledge(self, ids: Iterable[JobId] | None = None) -> None:
        """Note that the user saw how jobs ended (``None``: all), so that they stop asking for attention."""
        with self._known() as db:
            if ids is None:
                marks = ", ".join("?" * len(ENDED))
                db.execute(f"UPDATE jobs SET acknowledged = 1 WHERE state IN ({marks})", ENDED)
                return
            for job in ids:
                row = _row(db, _number(job))
                if row["state"] not in ENDED:
                    raise UsageError(f"Job {job} has not ended: it is {row['state']}.")
                db.execute("UPDATE jobs SET acknowledged = 1 WHERE id = ?", (row["id"],))

    def _check_cleared(self, job: int) -> None:
        """Raise :class:`WtwatchError` while what a job that ended left has still to be moved away."""
        pending = self.uncleared()
        if pending and pending.job == job:
            raise WtwatchError(
                f"Job {job} has ended, but the run tree is not cleared up behind it yet.",
                "It soon is, if the daemon runs; `wtwatch status` says what keeps it from that.",
            )

    def _known(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open for a change of jobs that must exist, so that a typing error does not make a database."""
        return changing(self.file) if self.file.exists() else reading(self.file)


def _new_batch(db: sqlite3.Connection, specs: Sequence[JobSpec], trigger: Trigger, base: Sha | None) -> int:
    made = db.execute("INSERT INTO batches (trigger, base) VALUES (?, ?)", (trigger.value, base))
    batch = int(made.lastrowid or 0)
    moment_queued = stamp(now())
    db.executemany(
        "INSERT INTO jobs (batch, place, spec, queued) VALUES (?, ?, ?, ?)",
        [(batch, place, spec_text(spec), moment_queued) for place, spec in enumerate(specs)],
    )
    if trigger is not Trigger.ON_MOVE:
        _make_due(db, batch)
    return batch


def _make_due(db: sqlite3.Connection, batch: int) -> None:
    db.execute(
        "UPDATE batches SET due = (SELECT coalesce(max(due), 0) + 1 FROM batches) WHERE id = ?", (batch,)
    )


def _renew(db: sqlite3.Connection, template: Standing, tip: Sha) -> int:
    """Make a batch of standing jobs, in place of their last one if that has not started."""
    unstarted = db.execute(
        "SELECT jobs.id FROM jobs JOIN batches ON batches.id = jobs.batch"
        " WHERE batches.standing = ? AND batches.code IS NULL AND jobs.state = 'waiting'",
        (template.id,),
    ).fetchall()
    if unstarted:
        _forget_superseded(db, template.id)
    batch = _new_batch(db, template.specs, Trigger.EVERY_MOVE, tip)
    db.execute("UPDATE batches SET standing = ? WHERE id = ?", (template.id, batch))
    for row in unstarted:
        _cancel_waiting(db, row["id"], f"{_SUPERSEDED}{batch}")
    return batch


def _forget_superseded(db: sqlite3.Connection, template: int) -> None:
    """Drop jobs of standing batches that never started, since another batch of theirs is superseded now."""
    batches = "batch IN (SELECT id FROM batches WHERE standing = ? AND code IS NULL)"
    db.execute(
        f"DELETE FROM jobs WHERE {batches} AND attempt = 1 AND state = 'cancelled' AND detail LIKE ?",
        (template, f"{_SUPERSEDED}%"),
    )
    db.execute(
        "DELETE FROM batches WHERE standing = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch = batches.id)",
        (template,),
    )


def _cancel_waiting(db: sqlite3.Connection, job: int, detail: str | None) -> None:
    db.execute(
        "UPDATE jobs SET state = ?, ended = ?, detail = ? WHERE id = ?",
        (Outcome.CANCELLED.value, stamp(now()), detail, job),
    )


def _jobs(db: sqlite3.Connection, batch: int | None) -> list[Job]:
    which, values = ("", ()) if batch is None else ("WHERE batch = ?", (batch,))
    return [job_of(row) for row in db.execute(f"SELECT * FROM jobs {which} ORDER BY batch, place", values)]


def _row(db: sqlite3.Connection, job: int) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:
        raise UsageError(f"There is no job {job}.", "`wtwatch queue list` shows all.")
    return row


def _number(job: JobId) -> int:
    words = str(job)
    if not (words.isascii() and words.isdigit()):
        raise UsageError(f"{job!r} is not the number of a job.", "`wtwatch queue list` shows all.")
    if len(words) > _DIGITS:
        raise UsageError(f"There is no job {job}.", "`wtwatch queue list` shows all.")
    return int(words)


def _is_standing(job: JobId) -> bool:
    return isinstance(job, str) and job.startswith("s")


def _drop_standing(db: sqlite3.Connection, job: JobId) -> None:
    number = _number(str(job).removeprefix("s"))
    if not db.execute("DELETE FROM standing WHERE id = ?", (number,)).rowcount:
        raise UsageError(f"There are no standing jobs {job}.", "`wtwatch queue list` shows all.")
