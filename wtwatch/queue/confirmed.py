"""Which jobs ran and made again just what was there: the queue alone knows, since no commit came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wtwatch.queue.database import reading
from wtwatch.queue.rows import spec_of
from wtwatch.words.model import JobSpec, Outcome, Sha


class Confirmed(NamedTuple):
    """An attempt at ``job`` that made again what was there: on which code, and with which superdataset."""

    job: int
    attempt: int
    uuid: str
    spec: JobSpec
    code_sha: Sha
    base: Sha


def confirmed(file: Path) -> list[Confirmed]:
    """Return all such attempts of the queue whose database is ``file``, in the order in which they ended."""
    columns = "attempt, uuid, spec, code, base, ended FROM"
    where = "WHERE state = ? AND uuid IS NOT NULL"
    query = f"SELECT id AS job, {columns} jobs {where} UNION ALL SELECT job, {columns} attempts {where}"
    with reading(file) as db:
        rows = db.execute(f"{query} ORDER BY ended", (Outcome.UNCHANGED.value,) * 2)
        return [
            Confirmed(row["job"], row["attempt"], row["uuid"], spec_of(row["spec"]), row["code"], row["base"])
            for row in rows
        ]


def how_many(file: Path) -> int:
    """Return how many such attempts the queue knows."""
    with reading(file) as db:
        query = "SELECT (SELECT COUNT(*) FROM jobs {0}) + (SELECT COUNT(*) FROM attempts {0}) AS number"
        where = "WHERE state = ? AND uuid IS NOT NULL"
        (row,) = db.execute(query.format(where), (Outcome.UNCHANGED.value,) * 2)
        return int(row["number"])


def attempts(file: Path) -> set[str]:
    """Return the uuids of all attempts that the queue knows."""
    return set(_uuids(file))


def _uuids(file: Path) -> Iterator[str]:
    with reading(file) as db:
        for table in ("jobs", "attempts"):
            for row in db.execute(f"SELECT uuid FROM {table} WHERE uuid IS NOT NULL"):
                yield row["uuid"]
