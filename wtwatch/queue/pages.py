"""The queue as a list is shown: the newest jobs, with earlier attempts in the batches that they ran in."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.queue.database import reading
from wtwatch.queue.rows import job_of, standing_of
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Job, Sha, Standing

_COLUMNS = (
    "batch, place, attempt, spec, queued, state, started, code, base, uuid, ended, exit, commits, detail,"
    " cancel_requested, acknowledged, lane, put_back"
)


class Chosen(NamedTuple):
    """Which jobs are asked for: in one of the ``states``, of one of the ``batches``, the newest ``limit``.

    Nothing chosen means all. ``retried``: earlier attempts of jobs that were retried count as well.
    """

    states: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    limit: int | None = None
    retried: bool = True


class Row(NamedTuple):
    """A job as it stands, or an earlier attempt of one, which was retried in the batch ``later``."""

    job: Job
    later: int | None = None


class BatchLine(NamedTuple):
    """What is said of a batch. ``is_due``: it waits for no move; ``standing``: of which jobs it was made.

    ``counts`` has how many of its jobs are in each state, and how many were "retried" in another batch.
    """

    id: int
    trigger: str
    standing: int | None
    is_due: bool
    code_sha: Sha | None
    counts: Mapping[str, int]


class Page(NamedTuple):
    """Rows in order of batch and place, how many older ones there are, their batches, the standing jobs."""

    rows: Sequence[Row]
    older: int
    batches: Mapping[int, BatchLine]
    standing: Sequence[Standing]


def page(file: Path, chosen: Chosen) -> Page:
    """Return the jobs that are asked for, of the queue whose database is ``file``."""
    with reading(file) as db:
        db.execute("BEGIN")  # all of one moment
        found, older = _rows(db, chosen)
        numbers = sorted({row.job.batch for row in found})
        return Page(found, older, _batches(db, numbers), _standing(db))


def batch(file: Path, number: int) -> Page:
    """Return all of one batch; raises :class:`UsageError` if there is none of that number."""
    found = page(file, Chosen(batches=(number,)))
    if not found.rows:
        raise UsageError(f"There is no batch {number}.", "`wtwatch queue list` shows all.")
    return found


def batch_of(file: Path, number: int) -> BatchLine | None:
    """Return what is said of a batch, ``None`` if there is none of that number."""
    with reading(file) as db:
        return _batches(db, [number]).get(number)


def numbers(file: Path) -> set[int]:
    """Return the numbers of all batches of which there are jobs, or attempts of jobs that were retried."""
    with reading(file) as db:
        return {row[0] for row in db.execute("SELECT batch FROM jobs UNION SELECT batch FROM attempts")}


def earlier(file: Path) -> dict[int, list[Job]]:
    """Return what the earlier attempts of all jobs came to, oldest first, by the number of the job."""
    found: dict[int, list[Job]] = {}
    with reading(file) as db:
        for row in db.execute("SELECT *, job AS id FROM attempts ORDER BY job, attempt"):
            found.setdefault(row["id"], []).append(job_of(row))
    return found


def _rows(db: sqlite3.Connection, chosen: Chosen) -> tuple[list[Row], int]:
    """Return the newest rows in order, and how many older ones there are."""
    where, values = _condition(chosen)
    sources = ["id, {} FROM jobs", *(["job AS id, {} FROM attempts"] if chosen.retried else [])]
    values *= len(sources)
    both = " UNION ALL ".join(
        f"SELECT {retried} AS retried, {source.format(_COLUMNS)}{where}"
        for retried, source in enumerate(sources)
    )
    limit = -1 if chosen.limit is None else chosen.limit
    newest = f"{both} ORDER BY batch DESC, place DESC, attempt DESC LIMIT {limit:d}"
    rows = db.execute(newest, values).fetchall()
    older = 0
    if len(rows) == limit:
        every = " + ".join(f"(SELECT count(*) FROM {source.rpartition(' ')[2]}{where})" for source in sources)
        older = db.execute(f"SELECT {every}", values).fetchone()[0] - limit
    return [Row(job_of(row), _later(db, row)) for row in reversed(rows)], older


def _condition(chosen: Chosen) -> tuple[str, tuple[str, ...]]:
    parts, values = [], []
    for column, wanted in (("state", chosen.states), ("batch", chosen.batches)):
        if wanted:
            parts.append(f"{column} IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(wanted))
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), tuple(values)


def _later(db: sqlite3.Connection, row: sqlite3.Row) -> int | None:
    """Return in which batch an earlier attempt was tried again."""
    if not row["retried"]:
        return None
    following = (row["id"], row["attempt"] + 1)
    found = db.execute("SELECT batch FROM attempts WHERE job = ? AND attempt = ?", following).fetchone()
    found = found or db.execute("SELECT batch FROM jobs WHERE id = ?", (row["id"],)).fetchone()
    return int(found["batch"]) if found else None


def _batches(db: sqlite3.Connection, numbers: Collection[int]) -> dict[int, BatchLine]:
    wanted = json.dumps(list(numbers))
    counts: dict[int, Counter[str]] = {number: Counter() for number in numbers}
    for row in db.execute(
        "SELECT batch, state, count(*) AS number FROM jobs"
        " WHERE batch IN (SELECT value FROM json_each(?)) GROUP BY batch, state"
        " UNION ALL SELECT batch, 'retried', count(*) FROM attempts"
        " WHERE batch IN (SELECT value FROM json_each(?)) GROUP BY batch",
        (wanted, wanted),
    ):
        counts[row["batch"]][row["state"]] = row["number"]
    rows = db.execute("SELECT * FROM batches WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    return {
        row["id"]: BatchLine(
            row["id"],
            row["trigger"],
            row["standing"],
            row["due"] is not None,
            Sha(row["code"]) if row["code"] else None,
            counts[row["id"]],
        )
        for row in rows
    }


def _standing(db: sqlite3.Connection) -> list[Standing]:
    return [standing_of(row) for row in db.execute("SELECT * FROM standing ORDER BY id")]


def who_made(file: Path, commit: Sha, uuid: str | None) -> Job | None:
    """Return the attempt of that ``uuid``, or the one of whose results ``commit`` is; ``None`` if unknown."""
    condition = "uuid = ? OR commits LIKE ?"
    values = (uuid, f'%"{commit}"%')
    with reading(file) as db:
        row = db.execute(f"SELECT * FROM jobs WHERE {condition}", values).fetchone()
        row = row or db.execute(f"SELECT *, job AS id FROM attempts WHERE {condition}", values).fetchone()
    return job_of(row) if row else None
