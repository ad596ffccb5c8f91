"""What is written down of a lane: which attempt has it, who makes it, and what keeps it from being used."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.files import make_within, write_whole
from wtwatch.doors.processes import Identity, identity, is_alive
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.quoting import quoted


class Lease(NamedTuple):
    """The attempt that has a lane: from before its process starts until the lane is cleared up behind it."""

    job: int
    attempt: int


class Held(NamedTuple):
    """What keeps a lane from being used, and the way out; ``by`` is who, as long as that one lives."""

    reason: str
    hint: str
    by: Identity | None = None


def known(project: Project) -> list[RunTree]:
    """Return the lanes that were begun, whatever there is of them, by their numbers."""
    return RunTree.lanes_of(project)


def begin(lane: RunTree) -> None:
    """Make the folder in which lock, journals and notes of a lane lie."""
    make_within(lane.project.state, lane.state)


def lease(lane: RunTree) -> Lease | None:
    """Return which attempt has a lane, if one does."""
    facts = _read(_lease(lane))
    return Lease(facts["job"], facts["attempt"]) if facts else None


def note_lease(lane: RunTree, given: Lease | None) -> None:
    """Note that an attempt has a lane; ``None``: it is free."""
    _note(_lease(lane), given and given._asdict())


def check_cleared(project: Project, jobs: Collection[int]) -> None:
    """Raise :class:`WtwatchError` if the lane of one of these jobs, which ended, is not cleared up yet."""
    for lane in known(project):
        given = lease(lane)
        if given and given.job in jobs:
            raise WtwatchError(
                f"Job {given.job} has ended, but lane {lane.lane} is not cleared up behind it yet.",
                "It soon is, if the daemon runs; `wtwatch status` says what keeps it from that.",
            )


def batch(lane: RunTree) -> int | None:
    """Return the batch for whose jobs the environment of a lane was looked at closely last."""
    facts = _read(_batch(lane))
    return facts["batch"] if facts else None


def note_batch(lane: RunTree, number: int) -> None:
    """Note for which batch the environment of a lane was looked at closely."""
    _note(_batch(lane), {"batch": number})


def held(lane: RunTree) -> Held | None:
    """Return what keeps a lane from being used, as it was found last; nobody does who is gone by now."""
    facts = _read(_held(lane))
    if facts is None:
        return None
    by = Identity(*facts["by"]) if facts.get("by") else None
    return None if by and not is_alive(by) else Held(facts["reason"], facts["hint"], by)


def held_since(lane: RunTree) -> int:
    """Return when it was noted that a lane cannot be used (in ns, file system's clock); 0: it is not."""
    try:
        return _held(lane).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def note_held(lane: RunTree, why: Held | None) -> None:
    """Note what keeps a lane from being used; ``None``: nothing does."""
    _note(_held(lane), why and why._asdict())


def maker(lane: RunTree) -> Identity | None:
    """Return who makes a lane just now, or sets it up, beside all else."""
    facts = _read(_making(lane))
    by = Identity(*facts["by"]) if facts else None
    return by if by and is_alive(by) else None


def note_making(lane: RunTree) -> None:
    """Note that this process makes a lane, with its lock held."""
    _note(_making(lane), {"by": identity(os.getpid())})


def is_to_be_made(lane: RunTree) -> bool:
    """Return whether nobody asked for the making of a lane to end."""
    return _making(lane).exists()


def end_making(lane: RunTree) -> None:
    """Note that the making of a lane is over, or ask whoever makes it to end that."""
    with suppress(FileNotFoundError):
        _making(lane).unlink()


def trouble(lane: RunTree, error: WtwatchError | OSError, before: str = "") -> Held:
    """Return an error as what keeps a lane from being used; ``before`` stands before its words."""
    hint = error.hint if isinstance(error, WtwatchError) else None
    said = f"{error}"
    if isinstance(error, OSError):
        said = ": ".join(filter(None, [error.filename and f"{error.filename}", error.strerror])) + "."
    busy = error.processes if isinstance(error, Busy) else ()
    return Held(
        f"{before}{said}", hint or f"See {quoted(lane.path)}.", identity(busy[0].pid) if busy else None
    )


def _lease(lane: RunTree) -> Path:
    return lane.state / "lease"


def _batch(lane: RunTree) -> Path:
    return lane.state / "batch"


def _held(lane: RunTree) -> Path:
    return lane.state / "held"


def _making(lane: RunTree) -> Path:
    return lane.state / "making"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return dict(facts)


def _note(file: Path, facts: dict[str, Any] | None) -> None:
    if facts is not None:
        write_whole(file, json.dumps(facts))
    elif file.exists():
        file.unlink()
