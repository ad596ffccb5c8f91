"""Files that batches were loaded from, in the open database: what one asks for replaces its last load.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from wtwatch.queue import halts
from wtwatch.queue.batches import cancel_waiting, make_due, new_batch
from wtwatch.queue.rows import jobs_in, spec_of, specs_text, standing_of
from wtwatch.words.model import Job, JobSpec, Outcome, Sha, Standing, Trigger, moment, now, stamp

_REPLACED = "replaced, as its file was loaded again"
_OVER = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.CANCELLED)


class Batchfile(NamedTuple):
    """A file to be loaded: ``path`` from the top of the superdataset, or absolute, and what it asks for.

    ``digest`` is of its text and of the ``lists`` of values that it names. ``template``: what its jobs are
    made from anew at each move, if they are.
    """

    path: str
    name: str
    digest: str
    specs: tuple[JobSpec, ...]
    trigger: Trigger
    lists: tuple[str, ...] = ()
    template: str | None = None


class Loaded(NamedTuple):
    """A file that was loaded, and of which jobs wait or stand; ``said`` is what the last look found odd."""

    path: str
    name: str
    digest: str
    lists: tuple[str, ...]
    at: datetime
    said: str | None = None


class Placed(NamedTuple):
    """What came of a load: the batch's ``jobs`` or ``standing`` ones, and what it did besides.

    ``replaced`` jobs that waited are taken back, ``done`` ones run or ran on this very code, so they are not
    queued once more. Without jobs and standing ones, all that the file asks for was there already.
    """

    jobs: tuple[Job, ...] = ()
    standing: Standing | None = None
    replaced: int = 0
    done: int = 0


def load(db: sqlite3.Connection, file: Batchfile, tip: Sha, first: int | None) -> Placed:
    """Queue what a file asks for, instead of what of its last load waits or stands; ``tip``: today's code."""
    placed = _placed(db, file, tip)
    if placed.jobs and first is not None:
        halts.note_first(db, placed.jobs[0].batch, first)
    db.execute(
        "INSERT OR REPLACE INTO loaded (path, name, digest, lists, at) VALUES (?, ?, ?, ?, ?)",
        (file.path, file.name, file.digest, json.dumps(file.lists), stamp(now())),
    )
    _forget_done(db)
    return placed


def loaded(db: sqlite3.Connection) -> list[Loaded]:
    """Return the files of which jobs wait or stand."""
    rows = db.execute(f"SELECT * FROM loaded WHERE {_MATTERS} ORDER BY path")
    return [
        Loaded(
            row["path"],
            row["name"],
            row["digest"],
            tuple(map(str, json.loads(row["lists"]))),
            moment(row["at"]),
            row["said"],
        )
        for row in rows
    ]


_MATTERS = (
    "(EXISTS (SELECT 1 FROM standing WHERE standing.loaded = path) OR EXISTS (SELECT 1 FROM batches"
    " JOIN jobs ON jobs.batch = batches.id WHERE batches.loaded = path AND jobs.state = 'waiting'))"
)


class _Waits(NamedTuple):
    """A job that waits, in which batch, and whether that is due."""

    job: int
    spec: JobSpec
    batch: int
    due: bool


def _placed(db: sqlite3.Connection, file: Batchfile, tip: Sha) -> Placed:
    row = db.execute("SELECT * FROM standing WHERE loaded = ?", (file.path,)).fetchone()
    standing = standing_of(row) if row else None
    waiting = _waiting(db, file.path)
    if file.trigger is Trigger.EVERY_MOVE:
        return _stand(db, file, tip, standing, waiting)
    done = _done(db, tip, waiting) if file.trigger is Trigger.NOW else set()
    todo = [spec for spec in file.specs if spec not in done]
    if standing is None and [one.spec for one in waiting] == todo:
        return Placed(done=len(file.specs) - len(todo))
    if standing is not None:
        db.execute("DELETE FROM standing WHERE id = ?", (standing.id,))
    _replace(db, file.path, waiting)
    if not todo:
        return Placed(replaced=len(waiting), done=len(file.specs))
    batch = new_batch(db, todo, file.trigger, tip, file.path)
    if file.trigger is Trigger.ON_MOVE and any(one.due for one in waiting):  # its move has been
        make_due(db, batch)
    return Placed(tuple(jobs_in(db, batch)), None, len(waiting), len(file.specs) - len(todo))


def _stand(
    db: sqlite3.Connection,
    file: Batchfile,
    tip: Sha,
    standing: Standing | None,
    waiting: Sequence[_Waits],
) -> Placed:
    """Have a file's jobs stand; what waits for its turn since the last move is replaced as well."""
    if standing is None:
        _replace(db, file.path, waiting)
        row = db.execute(
            "INSERT INTO standing (base, specs, queued, loaded, template) VALUES (?, ?, ?, ?, ?) RETURNING *",
            (tip, specs_text(file.specs), stamp(now()), file.path, file.template),
        ).fetchone()
        return Placed((), standing_of(row), len(waiting))
    db.execute("UPDATE standing SET template = ? WHERE id = ?", (file.template, standing.id))
    if standing.specs == file.specs:
        return Placed()
    db.execute("UPDATE standing SET specs = ? WHERE id = ?", (specs_text(file.specs), standing.id))
    standing = standing._replace(specs=file.specs)
    _replace(db, file.path, waiting)
    done = _done(db, standing.base, waiting)
    todo = [spec for spec in file.specs if spec not in done] if waiting else []
    if not todo:
        return Placed((), standing, len(waiting))
    batch = new_batch(db, todo, Trigger.EVERY_MOVE, standing.base, file.path)
    db.execute("UPDATE batches SET standing = ? WHERE id = ?", (standing.id, batch))
    return Placed(tuple(jobs_in(db, batch)), standing, len(waiting), len(file.specs) - len(todo))


def _waiting(db: sqlite3.Connection, path: str) -> list[_Waits]:
    rows = db.execute(
        "SELECT jobs.id, jobs.spec, jobs.batch, batches.due FROM jobs JOIN batches ON batches.id = jobs.batch"
        " WHERE batches.loaded = ? AND jobs.state = 'waiting' ORDER BY batches.id, jobs.place",
        (path,),
    )
    return [_Waits(row["id"], spec_of(row["spec"]), row["batch"], row["due"] is not None) for row in rows]


def _done(db: sqlite3.Connection, code: Sha, waiting: Sequence[_Waits]) -> set[JobSpec]:
    """Return what runs or ran on a code commit, or in the batches in which jobs wait, however it ended."""
    batches = sorted({one.batch for one in waiting})
    over, among = (", ".join("?" * len(some)) for some in (_OVER, batches))
    rows = db.execute(
        f"SELECT DISTINCT spec FROM jobs WHERE state IN ('running', {over})"
        f" AND (code = ? OR batch IN ({among}))",
        (*_OVER, code, *batches),
    )
    return {spec_of(row["spec"]) for row in rows}


def _replace(db: sqlite3.Connection, path: str, waiting: Sequence[_Waits]) -> None:
    """Take back jobs of a file that wait; of those that were taken back so before, nothing stays."""
    if waiting:
        db.execute(
            "DELETE FROM jobs WHERE batch IN (SELECT id FROM batches WHERE loaded = ?) AND attempt = 1"
            " AND state = 'cancelled' AND detail = ?",
            (path, _REPLACED),
        )
    for one in waiting:
        cancel_waiting(db, one.job, _REPLACED)


def _forget_done(db: sqlite3.Connection) -> None:
    newest = "at = (SELECT max(at) FROM loaded)"
    db.execute(f"DELETE FROM loaded WHERE NOT {_MATTERS} AND NOT {newest}")
