"""What people do to jobs that are queued: cancel, retry, remove, acknowledge. Each does all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from wtwatch.queue import learned
from wtwatch.queue.batches import cancel_waiting, new_batch
from wtwatch.queue.database import changing, reading
from wtwatch.queue.facts import QueueFacts
from wtwatch.queue.rows import JobId, job_of, job_row, jobs_in, number_of, spec_of, spec_text
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, Foreign, Held, Job, JobSpec, Outcome, Trigger, Waiting, now, stamp
from wtwatch.words.resources import AS_IT_COMES, Resources, with_wishes

ENDED = tuple(outcome.value for outcome in Outcome)
_COLUMNS = (
    "batch, place, attempt, spec, queued, state, started, code, base, uuid, ended, exit, commits, detail, "
    "cancel_requested, acknowledged, lane, uses, put_back"
)


class PassedOn(NamedTuple):
    """The batch into which jobs were put (``None``: there were none), and those that are to be stopped."""

    batch: int | None = None
    stopped: tuple[Job, ...] = ()


class QueueVerbs(QueueFacts):
    """The queue as people change it, of the project whose state lies in the folder ``state``."""

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
                found = job_of(job_row(db, number_of(job)))
                if isinstance(found.state, Ended):
                    raise UsageError(
                        f"Job {job} is over already ({found.word}).", "See `wtwatch queue list`."
                    )
                if isinstance(found.state, Foreign):
                    raise UsageError(
                        f"Job {job} is {found.word}, a state that this version of wtwatch does not know.",
                        "Install the newer one again: pip install --upgrade wtwatch",
                    )
                if isinstance(found.state, Waiting | Held):
                    cancel_waiting(db, found.id, None)
                else:
                    db.execute("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", (found.id,))
                    running.append(job_of(job_row(db, found.id)))
            return running

    def hold(self, specs: Sequence[JobSpec]) -> list[Job]:
        """Queue jobs that start only once somebody approved them, as a batch that nothing makes due."""
        with changing(self.file) as db:
            batch = new_batch(db, specs, Trigger.NOW, None)
            db.execute("UPDATE batches SET due = NULL WHERE id = ?", (batch,))
            db.execute("UPDATE jobs SET state = 'held' WHERE batch = ?", (batch,))
            return jobs_in(db, batch)

    def held(self) -> list[Job]:
        """Return the jobs that wait for approval."""
        with self._reading() as db:
            return [job_of(row) for row in db.execute("SELECT * FROM jobs WHERE state = 'held' ORDER BY id")]

    def approve(self, ids: Iterable[JobId]) -> list[Job]:
        """Let held jobs start, as a new batch that is due now, in the order given; all, or none of them.

        Raises :class:`UsageError` for one that is not held.
        """
        with self._known() as db:
            rows = [job_row(db, number) for number in dict.fromkeys(map(number_of, ids))]
            for row in rows:
                if row["state"] != "held":
                    raise UsageError(
                        f"Job {row['id']} needs no approval: it is {row['state']}.",
                        "`wtwatch queue list --state held` shows those that do.",
                    )
            if not rows:
                return []
            batch = new_batch(db, (), Trigger.NOW, None)
            for place, row in enumerate(rows):
                db.execute(
                    "UPDATE jobs SET batch = ?, place = ?, state = 'waiting' WHERE id = ?",
                    (batch, place, row["id"]),
                )
            db.executemany(
                "DELETE FROM batches WHERE id = ?"
                " AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch = batches.id)",
                {(row["batch"],) for row in rows},
            )
            return jobs_in(db, batch)

    def approved_commands(self) -> frozenset[str]:
        """Return the commands of all jobs that somebody queued, loaded, named or approved here."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT DISTINCT spec FROM jobs WHERE state != 'held' AND NOT"
                " (state = 'cancelled' AND started IS NULL) UNION SELECT spec FROM attempts"
            )
            return frozenset(spec_of(row["spec"]).command for row in rows)

    def retry(self, ids: Iterable[JobId], resume: bool = False, want: Resources = AS_IT_COMES) -> list[Job]:
        """Queue jobs that ended once more, as a new batch that is due now, in the order given.

        With ``resume`` each finds what it left of its outputs. They ask for what ``want`` names, and for all
        else as before. They keep their ids and count their attempts.
        Raises :class:`UsageError` for one that has not ended.
        """
        numbers = list(dict.fromkeys(number_of(job) for job in ids))
        with self._known() as db:
            rows = [job_row(db, number) for number in numbers]
            for row in rows:
                if row["state"] not in ENDED:
                    raise UsageError(
                        f"Job {row['id']} has not ended: it is {row['state']}.", "See `wtwatch queue list`."
                    )
                self._check_cleared(row["id"])
            if not rows:
                return []
            batch = new_batch(db, (), Trigger.NOW, None)
            for place, row in enumerate(rows):
                db.execute(
                    f"INSERT INTO attempts (job, {_COLUMNS}) SELECT id, {_COLUMNS} FROM jobs WHERE id = ?",
                    (row["id"],),
                )
                db.execute(
                    "UPDATE jobs SET batch = ?, place = ?, attempt = attempt + 1, queued = ?, spec = ?,"
                    " state = 'waiting', started = NULL, code = NULL, base = NULL, uuid = NULL, ended = NULL,"
                    " exit = NULL, commits = '[]', detail = NULL, cancel_requested = 0, acknowledged = 0,"
                    " lane = NULL, uses = NULL, put_back = NULL WHERE id = ?",
                    (batch, place, stamp(now()), _again(row["spec"], resume, want), row["id"]),
                )
            return jobs_in(db, batch)

    def pass_on(self, batch: int, stop: bool) -> PassedOn:
        """Put the jobs of a batch that wait into a new one, which comes next and takes the code of then.

        With ``stop`` the job that runs is asked to end, and is queued there once more, before the others. The
        new batch stays one of the same standing jobs, so that their next one takes its place.
        """
        with self._known() as db:
            waiting = _ids(db, batch, "state = 'waiting'")
            stopped = _ids(db, batch, "state = 'running' AND NOT cancel_requested") if stop else []
            if not waiting and not stopped:
                return PassedOn()
            made = db.execute(
                "INSERT INTO batches (trigger, base, standing, due, loaded)"
                " SELECT trigger, base, standing, due, loaded FROM batches WHERE id = ?",
                (batch,),
            )
            new = int(made.lastrowid or 0)
            for place, job in enumerate(stopped):
                db.execute("UPDATE jobs SET cancel_requested = 1 WHERE id = ?", (job,))
                db.execute(
                    "INSERT INTO jobs (batch, place, spec, queued)"
                    " SELECT ?, ?, spec, ? FROM jobs WHERE id = ?",
                    (new, place, stamp(now()), job),
                )
            for place, job in enumerate(waiting, start=len(stopped)):
                db.execute("UPDATE jobs SET batch = ?, place = ? WHERE id = ?", (new, place, job))
            return PassedOn(new, tuple(job_of(job_row(db, job)) for job in stopped))

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
                row = job_row(db, number_of(job))
                if row["state"] == "running":
                    raise UsageError(f"Job {job} is running.", f"Stop it first: wtwatch queue cancel {job}")
                self._check_cleared(row["id"])
                db.execute("DELETE FROM attempts WHERE job = ?", (row["id"],))
                db.execute("DELETE FROM jobs WHERE id = ?", (row["id"],))
                gone.append(int(row["id"]))
            learned.drop_unnamed(db)
            return gone

    def acknowledge(self, ids: Iterable[JobId] | None = None) -> None:
        """Note that the user saw how jobs ended (``None``: all), so that they stop asking for attention."""
        with self._known() as db:
            if ids is None:
                marks = ", ".join("?" * len(ENDED))
                db.execute(f"UPDATE jobs SET acknowledged = 1 WHERE state IN ({marks})", ENDED)
                return
            for job in ids:
                row = job_row(db, number_of(job))
                if row["state"] not in ENDED:
                    raise UsageError(
                        f"Job {job} has not ended: it is {row['state']}.", "See `wtwatch queue list`."
                    )
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


def _ids(db: sqlite3.Connection, batch: int, which: str) -> list[int]:
    rows = db.execute(f"SELECT id FROM jobs WHERE batch = ? AND {which} ORDER BY place", (batch,))
    return [row["id"] for row in rows]


def _is_standing(job: JobId) -> bool:
    return isinstance(job, str) and job.startswith("s")


def _drop_standing(db: sqlite3.Connection, job: JobId) -> None:
    number = number_of(str(job).removeprefix("s"))
    if not db.execute("DELETE FROM standing WHERE id = ?", (number,)).rowcount:
        raise UsageError(f"There are no standing jobs {job}.", "`wtwatch queue list` shows all.")


def _again(spec: str, resume: bool, want: Resources) -> str:
    """Return what a job is to do that is to be done once more."""
    known = spec_of(spec)
    anew = with_wishes(known._replace(resume=resume), want)
    return spec if anew == known else spec_text(anew)
