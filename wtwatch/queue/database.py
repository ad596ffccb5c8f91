"""The file that the queue lives in: SQLite, opened for one look or one change, then closed again.

A rollback journal and full syncs, as labs keep their data on network file systems, where the shared memory
of SQLite's write-ahead log does not work (https://sqlite.org/wal.html, "Disadvantages").
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock

from wtwatch.doors.files import write_whole
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import now, stamp

WAIT = 30.0
"""Seconds to wait for another process that is writing."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE batches (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            trigger TEXT NOT NULL,
            base TEXT,      -- on-move: the tip when it was queued
            standing INTEGER,   -- the template that it was made from
            due INTEGER,    -- its place in the order of becoming due; NULL while it waits for a move
            code TEXT       -- the commit that it runs on, from its first start to its end
        )""",
        """CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            batch INTEGER NOT NULL REFERENCES batches (id),
            place INTEGER NOT NULL,     -- within the batch
            attempt INTEGER NOT NULL DEFAULT 1,
            spec TEXT NOT NULL,
            queued TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'waiting',
            started TEXT, code TEXT, base TEXT, uuid TEXT,
            ended TEXT, exit INTEGER, commits TEXT NOT NULL DEFAULT '[]', detail TEXT,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            acknowledged INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX jobs_of_batch ON jobs (batch, place)",
        "CREATE INDEX jobs_in_state ON jobs (state)",
        # what earlier attempts of a job came to: the row that the job had then, except for `id`
        """CREATE TABLE attempts (
            job INTEGER NOT NULL, batch INTEGER NOT NULL, place INTEGER NOT NULL, attempt INTEGER NOT NULL,
            spec TEXT NOT NULL, queued TEXT NOT NULL, state TEXT NOT NULL,
            started TEXT, code TEXT, base TEXT, uuid TEXT,
            ended TEXT, exit INTEGER, commits TEXT NOT NULL, detail TEXT,
            cancel_requested INTEGER NOT NULL, acknowledged INTEGER NOT NULL,
            PRIMARY KEY (job, attempt)
        )""",
        """CREATE TABLE standing (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            base TEXT NOT NULL, specs TEXT NOT NULL, queued TEXT NOT NULL
        )""",
        """CREATE TABLE syncs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, seconds REAL NOT NULL, backup TEXT
        )""",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE acknowledged_backups (id TEXT PRIMARY KEY)",
    ),
    (  # the batches of which jobs wait are found without a look at each job
        "CREATE INDEX jobs_open ON jobs (state, batch, place)",
        "DROP INDEX jobs_in_state",
    ),
    (  # the lane that a job runs in, or ran; NULL: the run tree itself
        "ALTER TABLE jobs ADD COLUMN lane INTEGER",
        "ALTER TABLE attempts ADD COLUMN lane INTEGER",
    ),
    (  # batches from files: which file, by its path; the text of one that is looked at anew at each move
        "ALTER TABLE batches ADD COLUMN loaded TEXT",
        "ALTER TABLE standing ADD COLUMN loaded TEXT",
        "ALTER TABLE standing ADD COLUMN template TEXT",
        """CREATE TABLE loaded (
            path TEXT PRIMARY KEY,      -- from the top of the superdataset, or absolute
            name TEXT NOT NULL, digest TEXT NOT NULL, lists TEXT NOT NULL, at TEXT NOT NULL, said TEXT
        )""",
    ),
    (  # what an attempt used of the code, by a digest: many jobs use the same; NULL: not known
        "CREATE TABLE uses (digest TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "ALTER TABLE jobs ADD COLUMN uses TEXT",
        "ALTER TABLE attempts ADD COLUMN uses TEXT",
    ),
    (  # JSON: how often, when last, and why the attempt was put back, to wait once more
        "ALTER TABLE jobs ADD COLUMN put_back TEXT",
        "ALTER TABLE attempts ADD COLUMN put_back TEXT",
    ),
)
"""Statements that lead from each version of the schema to the next; only ever add to the end.

What ends the rows: `jobs` and `attempts` stay until `queue remove`, but of standing batches that were
superseded before they started only the newest stays; `batches` of standing jobs go with their last job,
others stay, as their numbers name results; `standing` ends by `cancel` or `remove`; a row of `loaded` goes
with the next file that is loaded, once no job of it waits; of `syncs` the newest hundred stay; `meta` has one
row a fact; `acknowledged_backups` one for each backup that the user saw, which goes with that backup; of
`uses` those go by `queue remove` that no attempt names any more.
"""

_opening = Lock()
"""Held by the thread that makes the file, or opens it as a database.

To close a file drops all locks that the process has on it, of other threads as well (fcntl_locking(2)): so
whoever made it has closed it before anybody has locks on it, and where it is there, only SQLite opens it.
"""

_JOB_FOLDER = re.compile(r"(\d{1,18})\.\d+")


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open ``file`` for a look; where it does not exist, nothing is made, and all tables are empty.

    Raises :class:`WtwatchError` for a file that cannot be used.
    """
    with _in_words(file), closing(_to_read(file)) as db:
        _migrate(db, file)
        yield db


@contextmanager
def changing(file: Path) -> Iterator[sqlite3.Connection]:
    """Open ``file``, made if need be, for one change: all of the body, or nothing of it.

    Raises :class:`WtwatchError` for a file that cannot be used, or is held for over 30 s, and
    :class:`FileNotFoundError` where the superdataset went away, with the folder that holds its folder.
    """
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with _opening, suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    with _in_words(file), closing(_connect(file, "rw")) as db:
        _migrate(db, file)
        if not _sign(file).exists():
            with suppress(OSError):  # the next change tries again
                write_whole(_sign(file), "wtwatch made state.db here; without it, the queue is lost.\n")
        with _all_or_nothing(db):
            yield db


@contextmanager
def looking(db: sqlite3.Connection, file: Path) -> Iterator[sqlite3.Connection]:
    """Use what :func:`reading` opened for one look, which may begin a transaction; raises the same."""
    is_part = db.in_transaction
    with _in_words(file):
        try:
            yield db
        finally:
            if db.in_transaction and not is_part:
                db.execute("ROLLBACK")


@contextmanager
def altering(db: sqlite3.Connection, file: Path) -> Iterator[sqlite3.Connection]:
    """Use what :func:`reading` opened for one change, as :func:`changing` does."""
    with _in_words(file), _all_or_nothing(db):
        yield db


def _to_read(file: Path) -> sqlite3.Connection:
    if file.exists():
        try:
            return _opened(file)
        except sqlite3.OperationalError:
            if file.exists():
                raise
    return _empty()  # or it went away this very moment


def _opened(file: Path) -> sqlite3.Connection:
    db = _connect(file, "rw")
    try:
        _version(db)  # SQLite opens it no sooner
    except sqlite3.Error:
        db.close()
        raise
    return db


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    place = f"{file.absolute().as_uri()}?mode={mode}"
    with _opening:
        db = sqlite3.connect(place, timeout=WAIT, isolation_level=None, uri=True)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:  # the file is locked or damaged
        db.close()
        raise
    return db


def _empty() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def _migrate(db: sqlite3.Connection, file: Path) -> None:
    known = len(MIGRATIONS)
    if _version(db) == known:
        return
    with _all_or_nothing(db):
        version = _version(db)  # another process may have been faster
        if version > known:
            raise WtwatchError(
                f"{file} was written by a newer wtwatch (schema {version}, this one knows {known}).",
                "Install the newer one again: pip install --upgrade wtwatch",
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                db.execute(statement)
        if version == 0:
            _note_loss(db, file)
        db.execute(f"PRAGMA user_version = {known}")


def _note_loss(db: sqlite3.Connection, file: Path) -> None:
    """Note in a new database that there was one before, and give the folders of its jobs to no other."""
    folders = (_JOB_FOLDER.match(folder.name) for folder in file.parent.glob("jobs/*"))
    jobs = [int(found[1]) for found in folders if found]
    if jobs or _sign(file).exists():
        db.execute("INSERT INTO meta (key, value) VALUES ('lost', ?)", (stamp(now()),))
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", (max(jobs, default=0),))


class Unusable(WtwatchError):
    """The queue cannot be read or written just now, such as on a full disk; it stays as it was."""


def _sign(file: Path) -> Path:
    """Return the file which says that the database beside it was made, and has not merely never been."""
    return file.with_name("state.db-was-made")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _all_or_nothing(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk ends it, see https://sqlite.org/lang_transaction.html
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        hint = "Another process has been writing to it for over 30 s; see who: `wtwatch status`."
        held = "locked" in str(error)
        raise Unusable(
            f"{file} cannot be used: {error} ({error.sqlite_errorname}).",
            hint if held else "Is the disk full or the file read-only?",
        ) from error
    except sqlite3.DatabaseError as error:
        raise WtwatchError(
            f"{file} is damaged: {error}.",
            "Move it away and put a copy from your backups there; without one, the queue starts empty.",
        ) from error
