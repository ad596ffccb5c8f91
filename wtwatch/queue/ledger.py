"""What a project must not forget besides its jobs: syncs, small facts, and what the user has seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from wtwatch.queue.database import changing, reading
from wtwatch.words.model import Sha, SyncDone, moment, stamp


class Ledger:
    """Facts of the project whose state lies in the folder ``state``.

    Nothing is held open from one call to the next, apart from :meth:`at_one_moment`.
    """

    def __init__(self, state: Path) -> None:
        self.file = state / "state.db"
        self._open: sqlite3.Connection | None = None

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Have all that this object is asked in the body be of one moment, and read through one opening.

        The body must be short, as nothing can be written meanwhile, and asks in its own thread alone.
        """
        with reading(self.file) as db:
            db.execute("BEGIN")
            self._open = db
            try:
                yield
            finally:
                self._open = None

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return nullcontext(self._open) if self._open else reading(self.file)

    def get(self, key: str) -> str | None:
        """Return a small fact that was kept by :meth:`set`."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row["value"]) if row else None

    def set(self, key: str, value: str | None) -> None:
        """Keep a small fact; ``None`` forgets it."""
        with changing(self.file) as db:
            if value is None:
                db.execute("DELETE FROM meta WHERE key = ?", (key,))
            else:
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def record_sync(self, done: SyncDone) -> None:
        """Keep what a sync did."""
        with changing(self.file) as db:
            db.execute(
                "INSERT INTO syncs (at, old, new, seconds, backup) VALUES (?, ?, ?, ?, ?)",
                (stamp(done.at), done.old, done.new, done.seconds, done.backup),
            )

    def last_sync(self) -> SyncDone | None:
        """Return the newest sync."""
        with self._reading() as db:
            row = db.execute("SELECT * FROM syncs ORDER BY id DESC LIMIT 1").fetchone()
            if row is None:
                return None
            return SyncDone(
                moment(row["at"]), Sha(row["old"]), Sha(row["new"]), row["seconds"], row["backup"]
            )

    def acknowledge_backups(self, ids: Iterable[str]) -> None:
        """Note that the user saw these backups, so that they stop asking for attention."""
        with changing(self.file) as db:
            db.executemany(
                "INSERT OR IGNORE INTO acknowledged_backups (id) VALUES (?)", [(name,) for name in ids]
            )

    def acknowledged_backups(self) -> frozenset[str]:
        """Return the ids of the backups that the user saw."""
        with self._reading() as db:
            return frozenset(row["id"] for row in db.execute("SELECT id FROM acknowledged_backups"))
