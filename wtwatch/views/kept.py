"""A view of a project that the daemon left, as long as it holds; written and read by the same wtwatch alone.

It lies in the daemon's own folder, one file a project. No `from __future__ import annotations`: see
:mod:`wtwatch.words.model`.
"""

import json
from contextlib import suppress
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Self

from wtwatch import __version__
from wtwatch.doors.clock import Instant, elapsed
from wtwatch.doors.processes import Identity
from wtwatch.project import config
from wtwatch.queue.prospects import BatchProgress, Upcoming
from wtwatch.stale.tally import Behind, Reason, Tally
from wtwatch.views.glance import BUILD
from wtwatch.views.ground import Ground
from wtwatch.views.holders import AtWork
from wtwatch.views.snapshot import (
    FailedJob,
    HeldLane,
    Holder,
    LoadedFile,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    RunningJob,
    Standpoint,
)
from wtwatch.words.model import EnvironmentState, Freshness, Outlived, SyncDone, Verdict, moment, stamp

FORMAT = 11
"""Raised whenever what is in the file, or what it rests on, is another thing than before."""

_TUPLES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        AtWork, BatchProgress, Behind, FailedJob, Ground, HeldLane, Holder, Identity, Instant, LoadedFile,
        Outlived, ProjectSnapshot, QueueSnapshot, Reason, Results, RunningJob, Standpoint, SyncDone, Tally,
        Upcoming, Verdict,
    )
}  # fmt: skip
_WORDS: dict[str, type[Enum]] = {kind.__name__: kind for kind in (EnvironmentState, Freshness)}


class Kept(NamedTuple):
    """What was seen of a project at ``at``, the ``ground`` that it rests on, and what was ``found`` there.

    ``noted``: who was known to work there.
    """

    project: ProjectSnapshot
    noted: AtWork
    at: Instant
    ground: Ground
    found: list[Any]

    def holds(self) -> bool:
        """Return whether all that it rests on is as it was."""
        return elapsed(self.at) is not None and self.ground.look() == self.found

    def settling(self) -> float | None:
        """Return for how many seconds more the bookmark has to be still; below 0: no longer."""
        left = self.project.queue.settling
        return None if left is None else round(left - (elapsed(self.at) or 0.0), 1)

    def text(self) -> str:
        """Return it as its file has it."""
        return json.dumps([FORMAT, __version__, BUILD, *(_plain(part) for part in self)])

    @classmethod
    def read(cls, name: str) -> Self | None:
        """Return what was left of a project, if anything was, by this very wtwatch."""
        with suppress(OSError, ValueError, TypeError, KeyError, IndexError):
            form, version, build, *parts = json.loads(file_of(name).read_text(encoding="utf-8"))
            if (form, version, build) == (FORMAT, __version__, BUILD):
                project, noted, at, ground = (_typed(part) for part in parts[:-1])
                return cls(project, noted, at, ground, parts[-1])
        return None


def file_of(name: str) -> Path:
    """Return the file for what the daemon leaves of the project of that name."""
    return config.live_folder() / f"{name}.json"


def _plain(value: Any) -> Any:
    """Return a value in terms of JSON: what that does not know is a list that begins with its kind."""
    if isinstance(value, datetime):
        return ["at", stamp(value)]
    if isinstance(value, Path):
        return ["path", str(value)]
    if isinstance(value, Enum):
        return [type(value).__name__, value.value]
    if isinstance(value, tuple):
        kind = type(value).__name__ if hasattr(value, "_fields") else "tuple"
        return [kind, *(_plain(part) for part in value)]
    return value


def _typed(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "at":
        return moment(parts[0])
    if kind == "path":
        return Path(parts[0])
    if kind in _WORDS:
        return _WORDS[kind](parts[0])
    typed = map(_typed, parts)
    return tuple(typed) if kind == "tuple" else _TUPLES[kind](*typed)
