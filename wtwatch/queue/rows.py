"""How the vocabulary is written into the rows of the database, and read from them; jobs by their number."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from wtwatch.words.errors import UsageError
from wtwatch.words.model import (
    Ended,
    Foreign,
    Held,
    Job,
    JobSpec,
    JobState,
    Outcome,
    PutBack,
    Running,
    Sha,
    Standing,
    Waiting,
    moment,
    now,
    stamp,
)
from wtwatch.words.versioned import given, taken

JobId = int | str
"""A job's number, or ``s1`` for the first standing jobs, as people write them."""

DIGITS = 18
"""Digits of the greatest number that SQLite surely holds (https://sqlite.org/datatype3.html)."""

_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


def spec_text(spec: JobSpec) -> str:
    """Return what a job is to do, as the column `spec` has it."""
    return json.dumps(given(spec._asdict()))


def spec_of(text: str) -> JobSpec:
    """Return what :func:`spec_text` wrote."""
    return _spec(json.loads(text))


def specs_text(specs: Sequence[JobSpec]) -> str:
    """Return what standing jobs are to do, as the column `specs` has it."""
    return json.dumps([given(spec._asdict()) for spec in specs])


def job_of(row: sqlite3.Row) -> Job:
    """Return the job that a row of `jobs` holds."""
    return Job(
        id=row["id"],
        batch=row["batch"],
        attempt=row["attempt"],
        spec=spec_of(row["spec"]),
        queued=moment(row["queued"]),
        state=_state(row),
        acknowledged=bool(row["acknowledged"]),
        cancel_requested=bool(row["cancel_requested"]),
        put_back=_put_back_of(row["put_back"]),
    )


def put_back_text(before: str | None, why: str) -> str:
    """Return that an attempt is put back now, as the column `put_back` has it, which says `before` so far."""
    known = _put_back_of(before)
    times = known.times + 1 if known else 1
    return json.dumps({"times": times, "at": stamp(now()), "why": storable(why)})


def _put_back_of(text: str | None) -> PutBack | None:
    said = json.loads(text) if text else None
    return PutBack(said["times"], moment(said["at"]), said["why"]) if said else None


def _state(row: sqlite3.Row) -> JobState:
    if row["state"] == "waiting":
        return Waiting()
    if row["state"] == "held":
        return Held()
    if row["state"] == "running":
        return Running(moment(row["started"]), Sha(row["code"]), Sha(row["base"]), row["uuid"], row["lane"])
    if row["state"] not in _OUTCOMES:
        return Foreign(row["state"])
    return Ended(
        started=moment(row["started"]) if row["started"] else None,
        ended=moment(row["ended"]),
        code_sha=Sha(row["code"]) if row["code"] else None,
        outcome=Outcome(row["state"]),
        exit=row["exit"],
        commits=tuple(Sha(commit) for commit in json.loads(row["commits"])),
        detail=row["detail"],
        lane=row["lane"],
    )


def standing_of(row: sqlite3.Row) -> Standing:
    """Return the standing jobs that a row of `standing` holds."""
    specs = tuple(_spec(each) for each in json.loads(row["specs"]))
    return Standing(row["id"], Sha(row["base"]), specs, moment(row["queued"]), row["loaded"], row["template"])


def _spec(kept: dict[str, Any]) -> JobSpec:
    values = {"command": ""} | taken(kept, JobSpec._fields)
    for name in ("inputs", "outputs", "uses"):
        values[name] = tuple(values.get(name, ()))
    for name in ("values", "setenv"):
        pairs = (pair for pair in values.get(name, ()) if isinstance(pair, list) and len(pair) == 2)
        values[name] = tuple((str(key), str(value)) for key, value in pairs)
    return JobSpec(**values)


def storable(text: str | None) -> str | None:
    """Return text as UTF-8 can hold it; names of files may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode() if text else text


def jobs_in(db: sqlite3.Connection, batch: int | None) -> list[Job]:
    """Return the jobs of a batch (``None``: all) in an open database, in order of batch and place."""
    which, values = ("", ()) if batch is None else ("WHERE batch = ?", (batch,))
    return [job_of(row) for row in db.execute(f"SELECT * FROM jobs {which} ORDER BY batch, place", values)]


def job_row(db: sqlite3.Connection, job: int) -> sqlite3.Row:
    """Return the row of a job in an open database; raises :class:`UsageError` if there is none."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:
        raise UsageError(f"There is no job {job}.", "`wtwatch queue list` shows all.")
    return row


def number_of(job: JobId) -> int:
    """Return the number that people gave of a job; raises :class:`UsageError` for what can be none."""
    words = str(job)
    if not (words.isascii() and words.isdigit()):
        raise UsageError(f"{job!r} is not the number of a job.", "`wtwatch queue list` shows all.")
    if len(words) > DIGITS:
        raise UsageError(f"There is no job {job}.", "`wtwatch queue list` shows all.")
    return int(words)
