"""Where things stand, as values: collected once, then judged and shown. Unknown is `None`.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.clock import Instant
from wtwatch.queue.prospects import BatchProgress, Upcoming
from wtwatch.stale.tally import Tally
from wtwatch.words.model import Freshness, Outlived, Sha, SyncDone, Verdict


class DaemonSnapshot(NamedTuple):
    """The daemon of this host, and what it says of itself.

    ``beat`` is when its loop last turned, and ``silent`` for how many seconds it has not since; ``stuck``
    names the projects whose tick hangs. ``installed``: a service is to keep it running; ``restarting``: that
    is about to start it again. ``stopped``: it is there and held up, as by Ctrl-Z. ``why`` says why it polls.
    """

    running: bool
    installed: bool = False
    pid: int | None = None
    since: datetime | None = None
    mode: str | None = None
    watches: int | None = None
    version: str | None = None
    beat: Instant | None = None
    silent: float | None = None
    stuck: tuple[str, ...] = ()
    stopped: bool = False
    why: str | None = None
    restarting: bool = False


class Standpoint(NamedTuple):
    """How the run tree's code stands to the bookmark, why it does not move, and the way out."""

    freshness: Freshness
    reason: str | None = None
    hint: str | None = None


class Holder(NamedTuple):
    """A process that works in the run tree; ``job`` is the number of the job that it is of, if of any.

    ``command`` is what it was started with, where that is known. ``by_hand``: `wtwatch exec` runs it.
    """

    pid: int
    name: str
    since: datetime
    job: int | None = None
    command: str | None = None
    by_hand: bool = False


class QueueSnapshot(NamedTuple):
    """How many jobs are in each state, by the contract's words, and how many start at every move.

    ``unseen`` ended badly without anybody having said that they saw it. ``lost`` is when the queue's file was
    found to be gone, ``settling`` for how many seconds more the bookmark has to be still. ``current`` counts
    the jobs of batches that still matter, ``due`` and ``on_move`` are batches that start by themselves and
    by the next move: see :mod:`wtwatch.queue.outlook`. ``paused_for`` is why it paused by itself, if it did.
    Of those that are ``standing``, ``touched`` run at a move only if it touches their results.
    """

    paused: bool
    jobs: Mapping[str, int]
    standing: int = 0
    unseen: int = 0
    lost: datetime | None = None
    settling: float | None = None
    current: Mapping[str, int] = {}
    due: tuple[Upcoming, ...] = ()
    on_move: tuple[Upcoming, ...] = ()
    paused_for: str | None = None
    touched: int = 0


class RunningJob(NamedTuple):
    """A job that runs; ``pid`` is the leader of its processes, ``lane`` where, if not in the run tree.

    ``over``: it ended well in its lane, and its result is not in the run tree yet. ``waits``: what keeps it
    from its work on a cluster that has it, in the words of that, or why nothing is known of it.
    """

    id: int
    batch: int
    command: str
    message: str | None
    started: datetime
    code_sha: Sha
    pid: int | None
    lane: int | None = None
    over: bool = False
    waits: str | None = None


class HeldLane(NamedTuple):
    """A lane that cannot be used, or has to stay though it is not needed: why, and the way out."""

    lane: int
    reason: str
    hint: str


class LoadedFile(NamedTuple):
    """A file of which jobs wait or stand that were loaded from it.

    ``changed``: it is not any more as it was loaded; ``gone``: nor is it there. ``said`` is what the last
    look at a move found odd.
    """

    path: str
    name: str
    at: datetime
    changed: bool = False
    gone: bool = False
    said: str | None = None


class FailedJob(NamedTuple):
    """A job that ended badly and that nobody said they saw: what it was, how it ended, and its last words.

    ``exit`` is ``None`` where its command did not end by itself, ``said`` where it printed nothing.
    """

    id: int
    batch: int
    state: str
    what: str
    exit: int | None = None
    said: str | None = None


class Results(NamedTuple):
    """How many commits the main tree lacks, how many the run tree, and whether a merge would conflict.

    ``oldest`` is when the first of those was made that the main tree lacks. ``from_main`` is how many files
    main has that the run tree lacks, ``subdatasets`` which of these it has otherwise, ``barred`` why they
    cannot come, with the way out; ``asked``: they come only if somebody says so. ``elsewhere`` is the branch
    that the main tree is on instead of the noted one, so that nothing comes from it. ``away`` are the
    subdatasets that the main tree names, and whose repository was made in the run tree and is not in the main
    tree yet.
    """

    ahead: int = 0
    behind: int = 0
    conflict: bool = False
    oldest: datetime | None = None
    from_main: int = 0
    subdatasets: tuple[str, ...] = ()
    barred: tuple[str, str] | None = None
    asked: bool = False
    away: tuple[str, ...] = ()
    elsewhere: str | None = None


class Elsewhere(NamedTuple):
    """Another ``host`` acts on the project; it is ``None`` where that cannot be read.

    ``since`` when, ``renewed`` is its last sign of life. ``gone``: that is so long ago that this host may.
    """

    host: str | None
    since: datetime | None
    renewed: datetime
    gone: bool = False


class ProjectSnapshot(NamedTuple):
    """One project.

    ``missing`` says why there is no ``tip``, such as "conflicted"; ``recorded`` is the code commit that the
    superdataset of the run tree names. ``batch`` is the one under way, ``failed`` the newest failures that
    nobody saw. ``unknown`` are sentences on settings that nobody knows; ``newer``: they were written for a
    newer version. ``full`` is a place of it whose disk has no room left. ``carried`` are
    sentences on files that git ignores and that are copied from the main tree. ``inherited`` are variables
    that jobs had from the daemon's shell before an upgrade, and get no more. ``beside`` are all jobs that run
    in lanes, and ``running`` the first of them; ``lanes`` is how many lanes are asked for, and ``making`` are
    those that are made or set up just now. ``loaded`` are the files that jobs came from which wait or stand,
    ``outlived`` is what jobs make no more though it is there.
    ``stale`` is how results stand, where they were looked at as they are now. ``elsewhere`` is who acts on
    it, if that is not this host.
    """

    name: str
    path: Path
    run_tree: Path
    bookmark: str
    standpoint: Standpoint
    environment: Verdict
    queue: QueueSnapshot
    tip: Sha | None = None
    missing: str | None = None
    subject: str | None = None
    applied: Sha | None = None
    edited: bool = False
    busy: tuple[Holder, ...] = ()
    recorded: Sha | None = None
    running: RunningJob | None = None
    batch: BatchProgress | None = None
    failed: tuple[FailedJob, ...] = ()
    results: Results = Results()
    stale: Tally | None = None
    backups: int = 0
    backups_unseen: int = 0
    last_sync: SyncDone | None = None
    host: str = ""
    busy_alarm: float = 0.0
    newer: bool = False
    unknown: tuple[str, ...] = ()
    full: Path | None = None
    carried: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    beside: tuple[RunningJob, ...] = ()
    lanes: int = 1
    held_lanes: tuple[HeldLane, ...] = ()
    making: tuple[int, ...] = ()
    loaded: tuple[LoadedFile, ...] = ()
    outlived: tuple[Outlived, ...] = ()
    elsewhere: Elsewhere | None = None

    @property
    def saved(self) -> bool:
        """Whether the superdataset of the run tree names the very commit that is applied."""
        return self.recorded is not None and self.recorded == self.applied

    def ends(self) -> tuple[float, float] | None:
        """Return when the batch under way ends (seconds since 1970), and how many seconds it takes at least.

        ``None`` where none is, or nobody can say. So it is while the queue is paused: when that ends is up to
        the user.
        """
        if self.batch is None or self.queue.paused:
            return None
        running = self.beside or ((self.running,) if self.running else ())
        if not self.batch.timed:
            return None
        each, at_once = self.batch.seconds / self.batch.timed, len(running) or 1
        least = max(0, self.batch.jobs - self.batch.ended - len(running)) * each / at_once
        began = sum(one.started.timestamp() for one in running) / at_once
        return (began + each + least if running else 0.0), least

    def seconds_left(self, at: datetime) -> float | None:
        """Return in how many seconds the batch under way ends; see :meth:`ends`."""
        ends = self.ends()
        return max(ends[1], ends[0] - at.timestamp()) if ends else None


class BrokenProject(NamedTuple):
    """A project of which nothing else can be said, and why."""

    name: str
    reason: str
    hint: str | None


class Snapshot(NamedTuple):
    """All that was asked for, at one moment."""

    daemon: DaemonSnapshot
    projects: tuple[ProjectSnapshot, ...] = ()
    broken: tuple[BrokenProject, ...] = ()
