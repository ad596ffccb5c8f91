"""Who works in a run tree, of those that are busy there: of which job each is, and what runs by hand.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.proc import parents
from wtwatch.doors.processes import Identity, bears, holding, is_alive, serves, session
from wtwatch.views.snapshot import Holder
from wtwatch.words.model import Process

_JOBS = (" -m wtwatch.job.wrapper ", " -m wtwatch.job.warm ")
"""What is on the command line of the process that a job is, before its queue says that it runs, and after."""

_TOOLS = ("git", "git-annex")
"""What a look starts."""


class AtWork(NamedTuple):
    """What was noted of who works there.

    That is the ``job`` that runs, the ``leader`` of its processes, and the variable with the value that they
    inherit; or the `wtwatch exec` that runs ``name``. ``lock`` is the tree's.
    """

    lock: Path
    job: int | None = None
    leader: int | None = None
    mark: tuple[str, str] | None = None
    by_hand: Identity | None = None
    name: str = ""
    since: datetime | None = None


def holders(
    noted: AtWork, busy: Iterable[Process], watch: int | None, is_open: bool = True
) -> tuple[Holder, ...]:
    """Return who is busy, and what `wtwatch exec` runs, or what is left of one and holds the tree.

    ``watch`` is the pid of the daemon, which holds it for moments; ``is_open``: some process may have its
    lock open.
    """
    found = tuple(one for one in busy if not _is_of_wtwatch(one, noted, watch))
    by_hand = [] if noted.job is not None else _by_hand(noted, found, watch, is_open)
    executing = by_hand[0].pid if by_hand else None
    return (*(_holder(process, noted, executing) for process in found), *by_hand)


def _by_hand(noted: AtWork, busy: tuple[Process, ...], watch: int | None, is_open: bool) -> list[Holder]:
    if noted.by_hand is not None and noted.since is not None and is_alive(noted.by_hand):
        command = f"wtwatch exec -- {noted.name}"
        return [Holder(noted.by_hand.pid, noted.name, noted.since, command=command, by_hand=True)]
    known = {watch, *(process.pid for process in busy)}
    left = [one for one in holding(noted.lock) if one.pid not in known] if is_open else []
    left = [one for one in left if not _is_of_wtwatch(one, noted, watch)]
    return [Holder(one.pid, one.name, one.since, command=one.command, by_hand=True) for one in left]


def _is_of_wtwatch(process: Process, noted: AtWork, watch: int | None) -> bool:
    """Return whether a process only serves a look, or is that of a job which begins or ends this moment."""
    if any(words in (process.command or "") for words in _JOBS):
        return not _is_of_the_job(process, noted)
    masters = [pid for pid in (os.getpid(), watch) if pid is not None]
    return process.name in _TOOLS and any(serves(process.pid, pid) for pid in masters)


def _holder(process: Process, noted: AtWork, executing: int | None) -> Holder:
    """Return a process that is busy; ``executing`` is the pid of a `wtwatch exec` that is under way."""
    job = noted.job if noted.job is not None and _is_of_the_job(process, noted) else None
    by_hand = executing is not None and executing in parents(process.pid)
    return Holder(process.pid, process.name, process.since, job, process.command, by_hand)


def _is_of_the_job(process: Process, noted: AtWork) -> bool:
    """Return whether a process is of the job: by its session, or by its environment if it left that."""
    if noted.leader is not None and session(process.pid) == noted.leader:
        return True
    return noted.mark is not None and bears(process.pid, *noted.mark)
