"""The durable queue: batches, their jobs, and standing jobs.

Each call opens the database, does one whole thing, and closes it, so that the daemon, commands and
threads may use the same queue at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from wtwatch.queue import batches, due, halts, learned, loads
from wtwatch.queue.batches import Anew, cancel_waiting, new_batch, open_work
from wtwatch.queue.due import OpenWork
from wtwatch.queue.facts import PAUSED, UNCLEARED, is_paused, note_untold
from wtwatch.queue.loads import Batchfile, Loaded, Placed
from wtwatch.queue.outlook import outlook_in
from wtwatch.queue.prospects import Outlook
from wtwatch.queue.rows import (
    JobId,
    job_of,
    job_row,
    jobs_in,
    number_of,
    put_back_text,
    spec_of,
    specs_text,
    standing_of,
    storable,
)
from wtwatch.queue.verbs import QueueVerbs
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, Standing, Trigger, now, stamp
from wtwatch.words.uses import Uses

WORDS = ("waiting", "running", *(outcome.value for outcome in Outcome), "held")


class Queue(QueueVerbs):
    """The queue of the project whose state lies in the folder ``state``; holds nothing open."""

    # what is to be done

    def add(
        self, specs: Sequence[JobSpec], trigger: Trigger, base: Sha, first: int | None = None
    ) -> list[Job]:
        """Queue one batch and return its jobs; with ``first`` the queue pauses after so many of them.

        ``NOW`` is due at once; ``ON_MOVE`` once :meth:`fire` finds that the tip moved away from ``base``.
        """
        if trigger is Trigger.EVERY_MOVE:
            raise ValueError("standing jobs are queued by add_standing")
        with self._changing() as db:
            batch = new_batch(db, specs, trigger, base)
            if first is not None:
                halts.note_first(db, batch, first)
            return jobs_in(db, batch)

    def add_standing(self, specs: Sequence[JobSpec], base: Sha, template: str | None = None) -> Standing:
        """Queue jobs that become a new batch at every move; ``base`` is the tip now.

        ``template`` is what they are made from anew at each move, if they are.
        """
        with self._changing() as db:
            row = db.execute(
                "INSERT INTO standing (base, specs, queued, template) VALUES (?, ?, ?, ?) RETURNING *",
                (base, specs_text(specs), stamp(now()), template),
            ).fetchone()
            return standing_of(row)

    def load(self, file: Batchfile, tip: Sha, first: int | None = None) -> Placed:
        """Queue what a file asks for, in place of what of its last load waits or stands.

        ``tip`` is where the bookmark is now; with ``first`` the queue pauses after so many of the jobs.
        """
        with self._changing() as db:
            return loads.load(db, file, tip, first)

    def loaded(self) -> list[Loaded]:
        """Return the files that were loaded, and of which jobs wait or stand."""
        with self._reading() as db:
            return loads.loaded(db)

    def fire(
        self,
        tip: Sha,
        moved: Callable[[Sha, Sha], bool],
        look: Callable[[Standing], Anew | None] = lambda _: None,
    ) -> list[int]:
        """Make due what waited for this move, and return those batches; the run tree must be at ``tip``.

        ``moved(base, tip)`` says whether anything that jobs use differs, and is asked while nothing is held;
        where not, ``base`` becomes the tip and nothing starts. A batch of standing jobs that has not started
        yet is superseded, not doubled. ``look`` makes standing jobs anew from their template, where nothing
        is held either: of what is new among them, a batch is made in any case.
        """
        differs = {base: moved(base, tip) for base in due.bases(self._work()) if base != tip}
        at_stake = [one for one in self.standing() if one.template is not None and one.base in differs]
        anew = {one.id: seen for one in at_stake if (seen := look(one)) is not None}
        with self._changing() as db:
            return batches.fire(db, tip, differs, anew)

    def pending(self, tip: Sha) -> bool:
        """Return whether anything waits for a move to ``tip``, so that :meth:`fire` has to look."""
        return due.pending(self._work(), tip)

    def under_way(self) -> int | None:
        """Return the batch that has started and has jobs left: it keeps its code."""
        return due.under_way(self._work())

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
            first = due.next_job(open_work(db), though_paused)
            return job_of(job_row(db, first)) if first else None

    def unfinished(self, tip: Sha | None) -> bool:
        """Return whether a job runs, is due, or will be by a move to ``tip``, all seen at one moment.

        What a pause holds back is not due; without a tip there is no move.
        """
        return due.unfinished(self._work(), tip)

    def expects(self, tip: Sha | None) -> bool:
        """Return whether a job is due besides one that runs, or will be by a move to ``tip``."""
        return due.expected(self._work(), tip)

    def open_work(self) -> OpenWork:
        """Return all batches that are not over, and what waits for a move, seen at one moment."""
        return self._work()

    def _work(self) -> OpenWork:
        with self._reading() as db:
            return open_work(db)

    # one job from start to end

    def begin(self, job: int, running: Running, batch: int | None = None) -> None:
        """Record that a job was started; its batch takes the job's code, if this is its first.

        A job that was cancelled meanwhile runs all the same by now, so it is marked to be stopped; one that
        was passed on to another batch is of ``batch`` again, as which it was started. What another tick has
        recorded of this very attempt stays, its end above all. Raises :class:`WtwatchError` if its batch runs
        on other code, or if the job is gone.
        """
        with self._changing() as db:
            known = job_row(db, job)
            if known["uuid"] == running.uuid and known["state"] != "waiting":
                return
            if batch is not None:
                db.execute("UPDATE jobs SET batch = ? WHERE id = ?", (batch, job))
            row = job_row(db, job)
            code = db.execute("SELECT code FROM batches WHERE id = ?", (row["batch"],)).fetchone()["code"]
            started_on = running.code_sha
            if code not in (None, started_on):
                raise WtwatchError(f"Job {job} was started on {started_on}, but its batch runs on {code}.")
            db.execute("UPDATE batches SET code = ? WHERE id = ?", (running.code_sha, row["batch"]))
            db.execute(
                "UPDATE jobs SET state = 'running', cancel_requested = ?, ended = NULL, detail = NULL,"
                " started = ?, code = ?, base = ?, uuid = ?, lane = ? WHERE id = ?",
                (
                    row["state"] == "cancelled",
                    stamp(running.started),
                    running.code_sha,
                    running.base,
                    running.uuid,
                    running.lane,
                    job,
                ),
            )

    def end(
        self,
        job: int,
        ended: Ended,
        max_failures: int = 0,
        tell: bool = False,
        uses: Uses | None = None,
    ) -> bool:
        """Record how a job ended, and that the run tree is to be cleared up behind it.

        Returns whether it is news: one that ended already stays as it is, so saying it twice is harmless. A
        lane is cleared up by who knows of it. The queue pauses with the failure that makes ``max_failures``
        of its batch (0: never), and as :mod:`wtwatch.queue.halts` says. ``tell``: the user is to be told.
        ``uses`` are what it used of the code, if that is known.
        """
        with self._changing() as db:
            row = job_row(db, job)
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
            if uses is not None:
                learned.note(db, job, uses)
            if row["lane"] is None:
                facts = json.dumps({"job": job, "attempt": row["attempt"]})
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (UNCLEARED, facts))
            if tell:
                note_untold(db, job, row["attempt"])
            at_most = max_failures if ended.outcome in halts.BAD else 0
            if not is_paused(db) and (why := halts.reason(db, row["batch"], at_most)):
                db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (PAUSED, why))
            return True

    def add_detail(self, job: int, detail: str) -> None:
        """Add to what is said of how a job ended."""
        with self._changing() as db:
            said = "; ".join(filter(None, [job_row(db, job)["detail"], storable(detail)]))
            db.execute("UPDATE jobs SET detail = ? WHERE id = ?", (said, job))

    def put_back(self, job: int, why: str) -> None:
        """Let a job wait again, and keep why; one that is to be stopped is cancelled.

        Its command did not begin, or its result cannot be used.
        """
        with self._changing() as db:
            row = job_row(db, job)
            if row["state"] != "running":
                return
            if row["cancel_requested"]:
                cancel_waiting(db, job, why)
                return
            db.execute(
                "UPDATE jobs SET state = 'waiting', started = NULL, code = NULL, base = NULL, uuid = NULL,"
                " lane = NULL, uses = NULL, put_back = ? WHERE id = ?",
                (put_back_text(row["put_back"], why), job),
            )

    def spare(self, job: int, why: str) -> Job | None:
        """End a job that need not run, as one that changed nothing; ``None`` if it does not wait any more."""
        with self._changing() as db:
            if job_row(db, job)["state"] != "waiting":
                return None
            db.execute(
                "UPDATE jobs SET state = ?, ended = ?, detail = ? WHERE id = ?",
                (Outcome.UNCHANGED.value, stamp(now()), storable(why), job),
            )
            return job_of(job_row(db, job))

    def running(self) -> Job | None:
        """Return the job that runs; of several that of the lowest number."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1").fetchone()
            return job_of(row) if row else None

    def in_run_tree(self) -> Job | None:
        """Return the job that runs in the run tree itself and holds it; ``None`` where all are in lanes."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE state = 'running' AND lane IS NULL LIMIT 1").fetchone()
            return job_of(row) if row else None

    def living(self) -> list[Job]:
        """Return all jobs that run: one in the run tree, or several in lanes."""
        with self._reading() as db:
            return [
                job_of(row) for row in db.execute("SELECT * FROM jobs WHERE state = 'running' ORDER BY id")
            ]

    def next_batch(self) -> int | None:
        """Return the batch of which jobs are to start, beside those of it that run.

        ``None`` when paused, or when it is to pause once those that run are over.
        """
        with self._reading() as db:
            batch = due.next_batch(open_work(db))
            return None if batch is not None and halts.is_reached(db, batch) else batch

    def first_waiting(self, batch: int, at_most: int) -> list[Job]:
        """Return the first jobs of a batch that wait, in its order."""
        with self._reading() as db:
            query = "SELECT * FROM jobs WHERE batch = ? AND state = 'waiting' ORDER BY place LIMIT ?"
            return [job_of(row) for row in db.execute(query, (batch, at_most))]

    def cancel_requested(self, job: int) -> bool:
        """Return whether somebody asked for a running job to be stopped."""
        with self._reading() as db:
            return bool(job_row(db, job)["cancel_requested"])

    # looking

    def jobs(self, batch: int | None = None) -> list[Job]:
        """Return all jobs, or those of one batch, in order of batch and place."""
        with self._reading() as db:
            return jobs_in(db, batch)

    def job(self, job: JobId) -> Job:
        """Return one job; raises :class:`UsageError` for an id that is not there."""
        with self._reading() as db:
            return job_of(job_row(db, number_of(job)))

    def find(self, job: int) -> Job | None:
        """Return one job, or ``None`` if it was removed."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
            return job_of(row) if row else None

    def attempts(self, job: JobId) -> list[Job]:
        """Return what the earlier attempts of a job came to, oldest first."""
        with self._reading() as db:
            number = job_row(db, number_of(job))["id"]
            rows = db.execute("SELECT *, job AS id FROM attempts WHERE job = ? ORDER BY attempt", (number,))
            return [job_of(row) for row in rows]

    def uses(self, job: JobId, attempt: int | None = None) -> Uses:
        """Return what an attempt of a job used of the code, the last if none is named."""
        with self._reading() as db:
            return learned.of_job(db, number_of(job), attempt)

    def all_uses(self) -> dict[tuple[int, int], Uses]:
        """Return what attempts used of the code, by job and attempt; only of those of which it is known."""
        with self._reading() as db:
            return learned.of_all(db)

    def standing(self) -> list[Standing]:
        """Return the standing jobs; people write the id of the first as ``s1``."""
        with self._reading() as db:
            return [standing_of(row) for row in db.execute("SELECT * FROM standing ORDER BY id")]

    def wait_for_move(self) -> set[int]:
        """Return the batches that become due only after the next move."""
        with self._reading() as db:
            return {row["id"] for row in db.execute("SELECT id FROM batches WHERE due IS NULL")}

    def waiting_specs(self) -> list[JobSpec]:
        """Return what the jobs are to do that wait or run."""
        with self._reading() as db:
            rows = db.execute("SELECT spec FROM jobs WHERE state IN ('waiting', 'running')")
            return [spec_of(row["spec"]) for row in rows]

    def waiting(self) -> dict[int, int]:
        """Return how many jobs of each batch wait; batches of which none does are left out."""
        with self._reading() as db:
            return dict(
                db.execute(
                    "SELECT batch, count(*) FROM jobs WHERE state = 'waiting' GROUP BY batch"
                ).fetchall()
            )

    def counts(self) -> dict[str, int | bool]:
        """Return the numbers of the contract's ``queue``: paused, and how many jobs are in each state."""
        with self._reading() as db:
            found = dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
            paused = is_paused(db)
        return {"paused": paused, **{word: found.get(word, 0) for word in WORDS}}

    def has_run(self) -> bool:
        """Return whether any job was ever started."""
        with self._reading() as db:
            found = db.execute("SELECT EXISTS (SELECT 1 FROM jobs WHERE started IS NOT NULL)").fetchone()
        return bool(found[0])

    def outlook(self, since: datetime | None = None) -> Outlook:
        """Return what still matters; ``since`` is how far back work that ended well does."""
        with self._reading() as db:
            return outlook_in(db, open_work(db), since)

    def unseen(self) -> int:
        """Return how many jobs failed or were interrupted without anybody having said that they saw it."""
        with self._reading() as db:
            query = "SELECT count(*) FROM jobs WHERE state IN (?, ?) AND NOT acknowledged"
            return int(db.execute(query, (Outcome.FAILED.value, Outcome.INTERRUPTED.value)).fetchone()[0])
