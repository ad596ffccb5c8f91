"""What attempts used of the code, in the open database: once for all of which it is the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress

from wtwatch.doors.digests import sha256
from wtwatch.words.uses import Uses, uses_from

UNKNOWN = Uses(whole="what it used was not noted")


def note(db: sqlite3.Connection, job: int, uses: Uses) -> None:
    """Note what the last attempt of a job used."""
    body = json.dumps(uses._asdict())
    digest = sha256(body.encode())[:32]
    db.execute("INSERT OR IGNORE INTO uses (digest, body) VALUES (?, ?)", (digest, body))
    db.execute("UPDATE jobs SET uses = ? WHERE id = ?", (digest, job))


def of_job(db: sqlite3.Connection, job: int, attempt: int | None = None) -> Uses:
    """Return what an attempt of a job used, the last if none is named; all of code where it is not known."""
    query = """
        SELECT body FROM (
            SELECT id AS job, attempt, uses FROM jobs UNION ALL SELECT job, attempt, uses FROM attempts
        ) JOIN uses ON digest = uses
        WHERE job = ? AND attempt = coalesce(?, (SELECT attempt FROM jobs WHERE id = job))
    """
    row = db.execute(query, (job, attempt)).fetchone()
    return _read(row["body"]) if row else UNKNOWN


def of_all(db: sqlite3.Connection) -> dict[tuple[int, int], Uses]:
    """Return what attempts used, by job and attempt; only of those of which it is known."""
    if not db.in_transaction:
        db.execute("BEGIN")  # both are seen at one moment; it ends with the connection
    known = {row["digest"]: _read(row["body"]) for row in db.execute("SELECT * FROM uses")}
    rows = db.execute(
        "SELECT id AS job, attempt, uses FROM jobs WHERE uses IS NOT NULL"
        " UNION ALL SELECT job, attempt, uses FROM attempts WHERE uses IS NOT NULL"
    )
    return {(row["job"], row["attempt"]): known.get(row["uses"], UNKNOWN) for row in rows}


def drop_unnamed(db: sqlite3.Connection) -> None:
    """Forget what no attempt names any more."""
    db.execute(
        "DELETE FROM uses WHERE digest NOT IN (SELECT uses FROM jobs WHERE uses IS NOT NULL)"
        " AND digest NOT IN (SELECT uses FROM attempts WHERE uses IS NOT NULL)"
    )


def _read(body: str) -> Uses:
    with suppress(KeyError, TypeError, ValueError):
        return uses_from(json.loads(body))
    return UNKNOWN
