"""Batches in the open database: looked at, made, made due by a move, superseded.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from wtwatch.queue import due
from wtwatch.queue.due import OpenBatch, OpenWork
from wtwatch.queue.facts import is_paused
from wtwatch.queue.halts import BAD
from wtwatch.queue.rows import spec_of, spec_text, specs_text, standing_of, storable
from wtwatch.words.model import JobSpec, Outcome, Sha, Standing, Trigger, now, stamp

_OPEN_BATCHES = """
    WITH RECURSIVE waiting (batch) AS (
        SELECT min(batch) FROM jobs WHERE state = 'waiting'
        UNION ALL
        SELECT (SELECT min(batch) FROM jobs WHERE state = 'waiting' AND batch > waiting.batch)
        FROM waiting WHERE batch IS NOT NULL
    )
    SELECT id, due, base, code,
        EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND batch = batches.id) AS runs,
        (SELECT id FROM jobs WHERE state = 'waiting' AND batch = batches.id ORDER BY place LIMIT 1) AS first
    FROM batches
    WHERE id IN (SELECT batch FROM waiting UNION SELECT batch FROM jobs WHERE state = 'running')
    ORDER BY id
"""
"""The batches that are not over: found from one to the next in the index, past all jobs of each."""

_SUPERSEDED = "superseded by batch "


class Anew(NamedTuple):
    """Standing jobs as a look at a move finds them, made from ``template``; ``said``: what to say of that.

    ``start`` are those of them that a move which concerns jobs starts; ``None``: all. Of these have no result
    yet: ``unmade``. A move that concerns none starts them less these, and less those that failed: for
    what of their inputs is another by now.
    """

    template: str
    specs: tuple[JobSpec, ...]
    said: str | None = None
    start: tuple[JobSpec, ...] | None = None
    unmade: tuple[JobSpec, ...] = ()


_NONE: Mapping[int, Anew] = MappingProxyType({})


def open_work(db: sqlite3.Connection) -> OpenWork:
    """Return all that is not over, seen at one moment, for :mod:`wtwatch.queue.due` to decide by."""
    if not db.in_transaction:
        db.execute("BEGIN")  # it ends with the connection
    batches = db.execute(_OPEN_BATCHES)
    standing = db.execute("SELECT base FROM standing")
    return OpenWork(
        tuple(
            OpenBatch(row["id"], row["due"], row["base"], row["code"], row["first"], bool(row["runs"]))
            for row in batches
        ),
        tuple(Sha(row["base"]) for row in standing),
        is_paused(db),
    )


def new_batch(
    db: sqlite3.Connection,
    specs: Sequence[JobSpec],
    trigger: Trigger,
    base: Sha | None,
    loaded: str | None = None,
) -> int:
    """Make a batch of jobs that wait, and return its number; it is due at once unless by the next move.

    ``loaded`` is the file that they came from.
    """
    made = db.execute(
        "INSERT INTO batches (trigger, base, loaded) VALUES (?, ?, ?)", (trigger.value, base, loaded)
    )
    batch = int(made.lastrowid or 0)
    moment_queued = stamp(now())
    db.executemany(
        "INSERT INTO jobs (batch, place, spec, queued) VALUES (?, ?, ?, ?)",
        [(batch, place, spec_text(spec), moment_queued) for place, spec in enumerate(specs)],
    )
    if trigger is not Trigger.ON_MOVE:
        make_due(db, batch)
    return batch


def fire(
    db: sqlite3.Connection, tip: Sha, differs: Mapping[Sha, bool], anew: Mapping[int, Anew] = _NONE
) -> list[int]:
    """Make due what waits for a move to ``tip``, and return those batches.

    ``differs`` says for each tip since which something waits whether anything that jobs use changed; where
    not, they wait for the next move from ``tip`` on. What it does not name stays for the next call. ``anew``
    has standing jobs, by their number, that were looked at anew: of these what is new starts at any move, and
    what another input makes stale.
    """
    fired = [batch.id for batch in due.for_a_move(open_work(db)) if batch.base and differs.get(batch.base)]
    for batch in fired:
        make_due(db, batch)
    for row in db.execute("SELECT * FROM standing ORDER BY id").fetchall():
        known = standing_of(row)
        if known.base not in differs:
            continue
        seen = anew.get(known.id)
        seen = seen if seen and seen.template == known.template else None  # it was not loaded anew meanwhile
        template = _anew(db, known, seen) if seen else known
        meant = template if seen is None or seen.start is None else template._replace(specs=seen.start)
        if differs[known.base]:
            fired += renew(db, meant, tip)
        elif came := _came(known.specs, meant.specs) if seen is None else _by_data(db, known, seen):
            waits = _unstarted(db, known.id)
            fired += renew(db, meant if waits else meant._replace(specs=came), tip)
    for base in differs:
        db.execute("UPDATE batches SET base = ? WHERE due IS NULL AND base = ?", (tip, base))
        db.execute("UPDATE standing SET base = ? WHERE base = ?", (tip, base))
    return fired


def cancel_waiting(db: sqlite3.Connection, job: int, detail: str | None) -> None:
    """End a job whose command did not begin."""
    db.execute(
        "UPDATE jobs SET state = ?, ended = ?, detail = ? WHERE id = ?",
        (Outcome.CANCELLED.value, stamp(now()), detail, job),
    )


def make_due(db: sqlite3.Connection, batch: int) -> None:
    """Have a batch come after all that are due."""
    db.execute(
        "UPDATE batches SET due = (SELECT coalesce(max(due), 0) + 1 FROM batches) WHERE id = ?", (batch,)
    )


def _anew(db: sqlite3.Connection, known: Standing, seen: Anew) -> Standing:
    """Return standing jobs as they were looked at anew, and keep them so."""
    db.execute("UPDATE loaded SET said = ? WHERE path = ?", (storable(seen.said), known.loaded))
    if seen.specs != known.specs:
        db.execute("UPDATE standing SET specs = ? WHERE id = ?", (specs_text(seen.specs), known.id))
    return known._replace(specs=seen.specs)


def _came(before: Sequence[JobSpec], now_there: Sequence[JobSpec]) -> tuple[JobSpec, ...]:
    known = set(before)
    return tuple(spec for spec in now_there if spec not in known)


def _by_data(db: sqlite3.Connection, known: Standing, seen: Anew) -> tuple[JobSpec, ...]:
    """Return which of standing jobs start though nothing of code changed that concerns them."""
    came, start = _came(known.specs, seen.specs), seen.start
    if start is None:
        return came
    stale = set(start) - set(seen.unmade) - _failed(db, known.id)
    return tuple(spec for spec in start if spec in stale or spec in came)


def _failed(db: sqlite3.Connection, template: int) -> set[JobSpec]:
    """Return which standing jobs failed when they ran last."""
    rows = db.execute(
        "SELECT jobs.spec, jobs.state FROM jobs JOIN batches ON batches.id = jobs.batch"
        " WHERE batches.standing = ? AND jobs.state NOT IN ('waiting', 'running') ORDER BY jobs.id",
        (template,),
    )
    last = {row["spec"]: row["state"] for row in rows}
    return {spec_of(spec) for spec, state in last.items() if state in {bad.value for bad in BAD}}


def _unstarted(db: sqlite3.Connection, template: int) -> list[int]:
    """Return the jobs of standing ones that wait in a batch which has not started."""
    rows = db.execute(
        "SELECT jobs.id FROM jobs JOIN batches ON batches.id = jobs.batch"
        " WHERE batches.standing = ? AND batches.code IS NULL AND jobs.state = 'waiting'",
        (template,),
    )
    return [row["id"] for row in rows]


def renew(db: sqlite3.Connection, template: Standing, tip: Sha) -> list[int]:
    """Make a batch of standing jobs, in place of their last one if that has not started; return its number.

    Of none, none is made.
    """
    unstarted = _unstarted(db, template.id)
    if unstarted:
        _forget_superseded(db, template.id)
    batch = None
    if template.specs:
        batch = new_batch(db, template.specs, Trigger.EVERY_MOVE, tip, template.loaded)
        db.execute("UPDATE batches SET standing = ? WHERE id = ?", (template.id, batch))
    for job in unstarted:
        cancel_waiting(
            db, job, f"{_SUPERSEDED}{batch}" if batch else "its standing order asks for it no more"
        )
    return [batch] if batch else []


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
