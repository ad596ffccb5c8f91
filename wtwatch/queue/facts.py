"""What a project must not forget besides its jobs: small facts, syncs, and what the user has seen.

The small facts lie in the table `meta` by a name each, which stands in this module alone (but for ``lost``,
which a new database has from its start). One that cannot be read, say of another version, is as good as
unknown: each is noted anew by who needs it. What their format is, the version of the schema says.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import get_ident
from typing import Any, NamedTuple

from wtwatch.doors.clock import Instant, elapsed, instant
from wtwatch.doors.processes import Identity, is_alive
from wtwatch.queue.database import altering, changing, looking, reading
from wtwatch.words.model import Outlived, Sha, SyncDone, moment, now, stamp

KEPT_SYNCS = 100
"""Syncs that are remembered; only the newest is shown."""

UNCLEARED = "uncleared"
"""The key under which the end of a job is noted, together with that end, until the tree is cleared up."""


UNTOLD = "untold"
"""The key of the attempts that ended, and of which the user is still to be told by a command of theirs."""

KEPT_UNTOLD = 100
"""Ends that nobody was told of which are remembered; a daemon takes them up within moments."""

PAUSED = "paused"
"""The key under which is noted that the queue is paused, and why."""

_BY_HAND = "yes"


class Tip(NamedTuple):
    """Where the bookmark was seen: ``at`` for people, ``since`` to count from."""

    commit: Sha
    at: datetime
    since: Instant


class Waits(NamedTuple):
    """What keeps the run tree from going on, and since when; ``busy``: that ends by itself."""

    reason: str
    hint: str | None
    busy: bool
    since: datetime


class ExecNote(NamedTuple):
    """The command that ``wtwatch exec`` runs: the process of that ``wtwatch``, the program it was given.

    ``base`` is where the superdataset was as it began, ``code`` the code that it has there; none of the two
    where that was not as jobs need it.
    """

    process: Identity
    name: str
    since: datetime
    base: Sha | None = None
    code: Sha | None = None


class Attempt(NamedTuple):
    """An attempt of a job."""

    job: int
    attempt: int


class Unsaved(NamedTuple):
    """What a plain job left in the run tree that nobody saved: paths from its top."""

    job: int
    paths: tuple[str, ...]


class Brought(NamedTuple):
    """What came of the last look at main for what the run tree lacks.

    ``code`` is the code commit with which it was made, ``main`` the commit of main that the run tree has all
    of, ``barred`` what bars what main has, with the way out.
    """

    code: Sha
    main: Sha | None = None
    barred: tuple[str, str] | None = None


class QueueFacts:
    """Facts of the project whose state lies in the folder ``state``.

    Nothing is held open from one call to the next, apart from :meth:`at_one_moment` and :meth:`kept_open`.
    """

    def __init__(self, state: Path) -> None:
        self.file = state / "state.db"
        self._open: dict[int, sqlite3.Connection] = {}

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Have all that this object is asked in the body be of one moment, and read through one opening.

        The body must be short, as nothing can be written meanwhile. It asks in its own thread alone.
        """
        with reading(self.file) as db:
            db.execute("BEGIN")
            with self._through(db):
                yield

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Have all that this object is asked in the body, in this thread, go through one opening.

        Each look is of its own moment, and each change a whole one, as ever: but to open the file takes
        longer than most of them. Where there is none yet, each opens it for itself.
        """
        if not self.file.exists() or get_ident() in self._open:
            yield
            return
        with reading(self.file) as db, self._through(db):
            yield

    @contextmanager
    def _through(self, db: sqlite3.Connection) -> Iterator[None]:
        me = get_ident()
        before = self._open.get(me)
        self._open[me] = db
        try:
            yield
        finally:
            if before is None:
                del self._open[me]
            else:
                self._open[me] = before

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        db = self._open.get(get_ident())
        return looking(db, self.file) if db else reading(self.file)

    def _changing(self) -> AbstractContextManager[sqlite3.Connection]:
        db = self._open.get(get_ident())
        return altering(db, self.file) if db and not db.in_transaction else changing(self.file)

    def tip(self) -> Tip | None:
        """Return where the bookmark was seen last."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted("tip"):
                since = Instant(noted["boot"], float(noted["seconds"]))
                return Tip(Sha(noted["commit"]), moment(noted["at"]), since)
        return None

    def note_tip(self, commit: Sha) -> None:
        """Note where the bookmark is; it counts as still from when this was first said of ``commit``."""
        if not self.knows_tip(commit):
            self._note("tip", {"commit": commit, "at": stamp(now()), **instant()._asdict()})

    def knows_tip(self, commit: Sha) -> bool:
        """Return whether the bookmark was seen there last, and since the machine started."""
        noted = self.tip()
        return noted is not None and noted.commit == commit and elapsed(noted.since) is not None

    def still(self, commit: Sha) -> float:
        """Return for how many seconds the bookmark has been seen at ``commit``; 0 from before a reboot."""
        noted = self.tip()
        return (elapsed(noted.since) or 0.0) if noted and noted.commit == commit else 0.0

    def hurry(self, commit: Sha) -> None:
        """Note that what waits for ``commit`` shall not wait for the bookmark to be still."""
        if not self.hurries(commit):
            self._set("hurry", commit)

    def hurries(self, commit: Sha) -> bool:
        """Return whether :meth:`hurry` was said of ``commit`` last."""
        return self._get("hurry") == commit

    def is_settled(self, commit: Sha, settle: float) -> bool:
        """Return whether a move to ``commit`` counts for jobs: still for so many seconds, or in a hurry."""
        return self.still(commit) >= settle or self.hurries(commit)

    def await_end(self, commit: Sha) -> None:
        """Note that the run tree moves to ``commit`` after the batch under way, whatever ``on_move`` says."""
        self._set("awaits_end", commit)

    def awaits_end(self, commit: Sha) -> bool:
        """Return whether :meth:`await_end` was said of ``commit`` last."""
        return self._get("awaits_end") == commit

    def note_used(self, base: Sha | None) -> None:
        """Note that something ran on the superdataset's commit ``base``, so that it is not folded away."""
        self._set("used", base)

    def was_used(self, base: Sha | None) -> bool:
        """Return whether ``base`` is what :meth:`note_used` was told last."""
        return self._get("used") == base

    def waits(self) -> Waits | None:
        """Return what the last tick waited for."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted("waits"):
                return Waits(
                    noted["reason"], noted.get("hint"), bool(noted.get("busy")), moment(noted["since"])
                )
        return None

    def note_waits(self, waits: Waits | None) -> None:
        """Note what a tick waits for, ``None`` for nothing; what was noted already keeps its time."""
        before = self.waits()
        if waits is None and before is not None:
            self._set("waits", None)
        elif waits is not None and (before is None or before.reason != waits.reason):
            self._note("waits", waits._asdict() | {"since": stamp(waits.since)})

    def executes(self) -> ExecNote | None:
        """Return the command that was noted to run by hand; it may have been killed without a word."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted("exec"):
                process = Identity(int(noted["pid"]), int(noted["ticks"]), noted["boot"])
                base, code = (Sha(noted[key]) if noted.get(key) else None for key in ("base", "code"))
                return ExecNote(process, noted["name"], moment(noted["since"]), base, code)
        return None

    def note_exec(self, note: ExecNote | None) -> None:
        """Note the command that runs by hand; ``None``: it ended."""
        facts = note and note._asdict() | note.process._asdict() | {"since": stamp(note.since)}
        self._note("exec", facts and {key: value for key, value in facts.items() if key != "process"})

    def ignored(self) -> list[Identity]:
        """Return the processes that nothing waits for, as somebody said, though they work in the run tree."""
        with suppress(KeyError, TypeError, ValueError):
            return [
                Identity(int(one["pid"]), int(one["ticks"]), one["boot"])
                for one in self._noted("ignored") or ()
            ]
        return []

    def ignore(self, processes: Iterable[Identity]) -> None:
        """Note that nothing shall wait for these processes; of those noted before, the living stay noted."""
        known = [*(one for one in self.ignored() if is_alive(one)), *processes]
        self._set("ignored", json.dumps([one._asdict() for one in dict.fromkeys(known)]))

    def uncleared(self) -> Attempt | None:
        """Return the attempt that ended, and behind which the run tree has not been cleared up yet."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted(UNCLEARED):
                return Attempt(int(noted["job"]), int(noted["attempt"]))
        return None

    def note_cleared(self) -> None:
        """Note that the run tree is cleared up behind the attempt that ended last."""
        self._set(UNCLEARED, None)

    def unsaved(self) -> Unsaved | None:
        """Return what was noted last of what a plain job left unsaved."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted("unsaved"):
                return Unsaved(int(noted["job"]), tuple(map(str, noted["paths"])))
        return None

    def note_unsaved(self, left: Unsaved | None) -> None:
        """Note what a plain job left unsaved; ``None``: it is saved, or gone."""
        self._note("unsaved", left and left._asdict())

    def outlived(self) -> list[Outlived]:
        """Return what was noted of files that jobs make no more."""
        with suppress(KeyError, TypeError, ValueError):
            return [
                Outlived(int(job), tuple(map(str, paths)), int(number))
                for job, paths, number in self._noted("outlived") or ()
            ]
        return []

    def note_outlived(self, found: Iterable[Outlived]) -> None:
        """Note which files jobs make no more."""
        self._set("outlived", json.dumps(found) if (found := list(found)) else None)

    def brought(self) -> Brought | None:
        """Return what was noted when main was last looked at for what the run tree lacks."""
        with suppress(KeyError, TypeError, ValueError):
            if noted := self._noted("brought"):
                barred = noted["barred"]
                main = Sha(noted["main"]) if noted["main"] else None
                return Brought(Sha(noted["code"]), main, (str(barred[0]), str(barred[1])) if barred else None)
        return None

    def note_brought(self, noted: Brought) -> None:
        """Note what came of a look at main."""
        self._note("brought", noted._asdict())

    def told(self) -> frozenset[str] | None:
        """Return what the user was told of by their own command and still stands; ``None``: never looked."""
        with suppress(TypeError, ValueError):
            if (noted := self._noted("told")) is not None:
                return frozenset(map(str, noted))
        return None

    def untold(self) -> list[Attempt]:
        """Return the attempts that ended and that the user was not told of yet, in their order."""
        with suppress(TypeError, ValueError):
            return [Attempt(int(job), int(attempt)) for job, attempt in self._noted(UNTOLD) or ()]
        return []

    def note_told(self, standing: Collection[str] | None, ended: Collection[Attempt]) -> None:
        """Note what the user was told of: all that stands (``None``: as noted), and attempts that ended."""
        if standing in (None, self.told()) and not ended:
            return
        with self._changing() as db:
            if standing is not None:
                _put(db, "told", json.dumps(sorted(standing)))
            left = [[*one] for one in _untold(db) if one not in [tuple(end) for end in ended]]
            _put(db, UNTOLD, json.dumps(left) if left else None)

    def inherited(self) -> tuple[str, ...] | None:
        """Return the variables that jobs do not get any more, as they were noted; ``None``: they were not."""
        with suppress(TypeError, ValueError):
            if (noted := self._noted("inherited")) is not None:
                return tuple(map(str, noted))
        return None

    def note_inherited(self, names: Sequence[str]) -> None:
        """Note which variables jobs do not get any more; none: somebody saw it."""
        self._set("inherited", json.dumps(list(names)))

    def lanes_offered(self) -> bool:
        """Return whether the user was told what lanes would bring."""
        return self._get("lanes-offered") is not None

    def note_lanes_offered(self) -> None:
        """Note that the user was told what lanes would bring: that is said once."""
        self._set("lanes-offered", "")

    def lost(self) -> datetime | None:
        """Return when the database was found to be gone, until :meth:`accept_loss`: the queue began anew."""
        with suppress(ValueError):
            noted = self._get("lost")
            return moment(noted) if noted else None
        return None

    def accept_loss(self) -> None:
        """Note that the user knows of the loss."""
        if self.lost():
            self._set("lost", None)

    def pause(self) -> None:
        """Start no further job until :meth:`resume`; the one that runs goes on."""
        self._set(PAUSED, _BY_HAND)

    def resume(self) -> None:
        """Start jobs again."""
        self._set(PAUSED, None)

    def pause_reason(self) -> str | None:
        """Return why the queue paused by itself, as what follows "paused:"; ``None`` if it did not."""
        noted = self._get(PAUSED)
        return None if noted in (None, _BY_HAND) else noted

    def paused(self) -> bool:
        """Return whether the queue is paused."""
        with self._reading() as db:
            return is_paused(db)

    def _get(self, key: str) -> str | None:
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row["value"]) if row else None

    def _set(self, key: str, value: str | None) -> None:
        with self._changing() as db:
            _put(db, key, value)

    def _noted(self, key: str) -> Any:
        text = self._get(key)
        return None if text is None else json.loads(text)

    def _note(self, key: str, facts: dict[str, Any] | None) -> None:
        self._set(key, None if facts is None else json.dumps(facts))

    def record_sync(self, done: SyncDone) -> None:
        """Keep what a sync did, and forget the oldest."""
        with self._changing() as db:
            db.execute(
                "INSERT INTO syncs (at, old, new, seconds, backup) VALUES (?, ?, ?, ?, ?)",
                (stamp(done.at), done.old, done.new, done.seconds, done.backup),
            )
            db.execute("DELETE FROM syncs WHERE id <= (SELECT max(id) FROM syncs) - ?", (KEPT_SYNCS,))

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
        with self._changing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO acknowledged_backups (id) VALUES (?)", [(name,) for name in ids]
            )

    def forget_backups(self, ids: Iterable[str]) -> None:
        """Forget of backups that are gone whether the user saw them."""
        with self._changing() as db:
            db.executemany("DELETE FROM acknowledged_backups WHERE id = ?", [(name,) for name in ids])

    def acknowledged_backups(self) -> frozenset[str]:
        """Return the ids of the backups that the user saw."""
        with self._reading() as db:
            return frozenset(row["id"] for row in db.execute("SELECT id FROM acknowledged_backups"))


def note_untold(db: sqlite3.Connection, job: int, attempt: int) -> None:
    """Note in an open database that the user is to be told how an attempt ended; the oldest are dropped."""
    _put(db, UNTOLD, json.dumps([*_untold(db), (job, attempt)][-KEPT_UNTOLD:]))


def _untold(db: sqlite3.Connection) -> list[tuple[int, int]]:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (UNTOLD,)).fetchone()
    with suppress(TypeError, ValueError):
        return [(int(job), int(attempt)) for job, attempt in json.loads(row["value"])] if row else []
    return []


def _put(db: sqlite3.Connection, key: str, value: str | None) -> None:
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def is_paused(db: sqlite3.Connection) -> bool:
    """Return whether the queue in an open database is paused."""
    return db.execute("SELECT 1 FROM meta WHERE key = ?", (PAUSED,)).fetchone() is not None
