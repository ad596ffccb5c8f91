"""After which end of a job the queue pauses by itself, and what it says of that."""

from __future__ import annotations

import json
import sqlite3

from wtwatch.words.model import Outcome, counted

FIRST = "first"
"""The key under which is noted after how many jobs which batches pause."""

IN_VAIN = 3
"""Jobs at the start of a batch that all fail before it pauses: most likely so would the others."""

BAD = (Outcome.FAILED, Outcome.INTERRUPTED)
"""Ends that count as failures."""


def note_first(db: sqlite3.Connection, batch: int, number: int) -> None:
    """Note in an open database that a batch pauses after its first ``number`` jobs."""
    noted = _noted(db) | {str(batch): number}
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (FIRST, json.dumps(noted)))


def is_reached(db: sqlite3.Connection, batch: int) -> bool:
    """Return whether so many jobs of a batch run or are over that it is to pause once they are over."""
    first = _noted(db).get(str(batch))
    begun, over = db.execute(
        "SELECT total(state != 'waiting'), total(ended IS NOT NULL AND state != 'waiting')"
        " FROM jobs WHERE batch = ?",
        (batch,),
    ).fetchone()
    return first is not None and over < first <= begun


def reason(db: sqlite3.Connection, batch: int, at_most: int = 0) -> str | None:
    """Return why the queue pauses, now that a job of ``batch`` has ended; ``None``: it goes on.

    ``at_most`` is how many may have failed, 0 if that does not matter now.
    """
    over, bad, left = db.execute(
        "SELECT total(ended IS NOT NULL AND state != 'waiting'), total(state IN (?, ?)),"
        " total(state IN ('waiting', 'running')) FROM jobs WHERE batch = ?",
        (*(outcome.value for outcome in BAD), batch),
    ).fetchone()
    if not left:
        return None
    if over == _noted(db).get(str(batch)):
        first = "job" if over == 1 else counted(int(over), "job")
        return f"batch {batch} has run its first {first}, as was asked"
    if over == bad == IN_VAIN:
        return f"the first {IN_VAIN} jobs of batch {batch} all failed"
    if at_most and bad == at_most:
        return f"{counted(at_most, 'job')} of batch {batch} failed, as many as max_failures allows"
    return None


def _noted(db: sqlite3.Connection) -> dict[str, int]:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (FIRST,)).fetchone()
    try:
        return dict(json.loads(row["value"])) if row else {}
    except (ValueError, TypeError):  # of another version
        return {}
