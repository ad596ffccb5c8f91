"""One attempt of a job as all see it: its folder, where the job's process and the daemon meet.

The daemon writes ``job.json`` and starts the process; that writes ``started``, then ``outcome``. A process
on another machine could do the same over a shared file system.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from wtwatch.doors.files import sync_folder, write_whole
from wtwatch.doors.processes import Identity
from wtwatch.queue.rows import spec_of, spec_text
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha, moment, stamp
from wtwatch.words.versioned import More, given, taken

MARK = "WTWATCH_ATTEMPT"
"""The variable that all processes of an attempt inherit; its value is the attempt's uuid."""

LOCK = "WTWATCH_LOCK"
"""The variable that names the inherited descriptor of the run tree's lock, if there is one."""

RESERVED = 256 * 1024
"""Bytes reserved for an outcome, in which some 5,000 commits find room."""


class Order(NamedTuple):
    """What an attempt is to do, where, and on what: all that its process needs.

    ``code`` is the commit at which the code in ``code_path`` must stand, ``base`` the superdataset's. It is
    kept in a file: see :mod:`wtwatch.words.versioned`.
    """

    job: int
    attempt: int
    queued: datetime
    uuid: str
    at: datetime
    run_tree: Path
    code_path: Path
    code: Sha
    base: Sha
    bell: Path
    spec: JobSpec
    version: int = 1
    more: More = ()


class Result(NamedTuple):
    """What an attempt came to. ``stopped``: it was told to end before it was done.

    It is kept in a file: see :mod:`wtwatch.words.versioned`.
    """

    exit: int | None
    commits: tuple[Sha, ...]
    ended: datetime
    error: str | None = None
    stopped: bool = False
    version: int = 1
    more: More = ()


class Folder:
    """The folder of one attempt; anything in it is whole or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, state: Path, job: int, attempt: int) -> Self:
        """Return the folder of an attempt in the project's state, which need not exist."""
        return cls(state / "jobs" / f"{job}.{attempt}")

    @property
    def log(self) -> Path:
        """What the command and DataLad printed."""
        return self.path / "log"

    def write_order(self, order: Order) -> None:
        """Say what is to be done, before anything is."""
        facts = given(order._asdict()) | {
            "queued": stamp(order.queued),
            "at": stamp(order.at),
            "run_tree": str(order.run_tree),
            "code_path": str(order.code_path),
            "bell": str(order.bell),
            "spec": json.loads(spec_text(order.spec)),
        }
        write_whole(self.path / "job.json", json.dumps(facts, indent=1))

    def order(self) -> Order | None:
        """Return what is to be done, if it was said; raises :class:`WtwatchError` if that cannot be read."""
        facts = self._facts("job.json")
        if facts is None:
            return None
        with self._in_words("job.json"):
            return Order(
                **taken(facts, Order._fields)
                | {
                    "queued": moment(facts["queued"]),
                    "at": moment(facts["at"]),
                    "run_tree": Path(facts["run_tree"]),
                    "code_path": Path(facts["code_path"]),
                    "bell": Path(facts["bell"]),
                    "spec": spec_of(json.dumps(facts["spec"])),
                }
            )

    def set_aside(self) -> None:
        """Make room where the folder is that of another job, queued in a database that is gone."""
        number = 1
        while (vacant := self.path.with_name(f"{self.path.name}~{number}")).exists():
            number += 1
        self.path.rename(vacant)

    def write_started(self, who: Identity, uuid: str, at: datetime) -> None:
        """Say which process does it."""
        write_whole(
            self.path / "started", json.dumps({**who._asdict(), "uuid": uuid, "at": stamp(at)}, indent=1)
        )

    def started(self) -> Identity | None:
        """Return which process does it, or did."""
        facts = self._facts("started")
        if facts is None:
            return None
        with self._in_words("started"):
            return Identity(facts["pid"], facts["started"], facts["boot"])

    def result(self) -> Result | None:
        """Return what it came to, once it is over; raises :class:`WtwatchError` if that cannot be read."""
        facts = self._facts("outcome")
        if facts is None:
            return None
        with self._in_words("outcome"):
            known = {"commits": tuple(facts.get("commits", ())), "ended": moment(facts["ended"])}
            return Result(**{"exit": None} | taken(facts, Result._fields) | known)

    def mark_stopping(self) -> float:
        """Note that the attempt was told to end; return when that was first done, as seconds since 1970."""
        file = self.path / "stopping"
        if not file.exists():
            write_whole(file, repr(time.time()))
        return float(file.read_text())

    def _facts(self, name: str) -> dict[str, Any] | None:
        with self._in_words(name):
            try:
                text = (self.path / name).read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
            facts: dict[str, Any] = json.loads(text)
            return facts

    @contextmanager
    def _in_words(self, name: str) -> Iterator[None]:
        """Say which file it is that somebody damaged; none of ours is ever half written."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WtwatchError(
                f"{self.path / name} cannot be read: {error!r}.",
                f"Put it back from a backup, or move the folder away: {self.path}",
            ) from error


class Draft:
    """The outcome before it is known: its room on the disk is taken, so that a full one cannot lose it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._file = folder.path / ".outcome"
        self._handle = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._handle, 0, RESERVED)

    def publish(self, result: Result) -> None:
        """Make the outcome known, whole, by a rename."""
        text = json.dumps(given(result._asdict()) | {"ended": stamp(result.ended)})
        content = text.encode("ascii")
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))
        os.fsync(self._handle)
        os.close(self._handle)
        self._file.rename(self._folder.path / "outcome")
        sync_folder(self._folder.path)
