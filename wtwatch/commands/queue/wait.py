"""``wtwatch queue wait``: wait for jobs, and say what holds them up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from datetime import timedelta

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option, ring_for
from wtwatch.doors import processes
from wtwatch.project.config import Project, host
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Progress, Waiter
from wtwatch.queue.wanted import wanted
from wtwatch.tree import tip
from wtwatch.views import holdup, status, waiting
from wtwatch.views.holdup import START, HoldUp
from wtwatch.views.jobwords import ranged
from wtwatch.views.terminal import say, warn
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Sha, now

POLL = 0.2
"""Seconds between two looks of commands that wait."""

PATIENCE = 10.0
"""Seconds in which the daemon, when rung for, looks anew at what it waits for, even on a busy machine."""

BACK = 3.0
"""Seconds in which a daemon is back that hands over to another version of itself."""

_RARELY = 10.0
"""Seconds in which nothing starts before it is looked for who holds the tree, which takes a few ms."""


@click.command("wait")
@click.argument("jobs", nargs=-1, metavar="[JOBS]...", shell_complete=completing.jobs)
@completing.batch_option("the jobs of batch N")
@project_option
def command(jobs: tuple[str, ...], batches: tuple[str, ...], project: str | None) -> int:
    """Wait until JOBS (numbers, ranges 12-20) have ended; without any, until nothing runs or is due.

    Exit code 1 if one of them failed, or if they cannot go on: the queue is paused, no daemon runs, something
    is in the way. A failure from before counts only where it is named.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    named = [int(job) for job in wanted(queue.file, jobs, batches)] if jobs or batches else None
    waits = _Wait(chosen, queue, named)
    stand_aside()
    return waits.until_done()


def stand_aside() -> None:
    """Leave the folder, which may lie in the run tree: who waits for its jobs must not hold them up."""
    os.chdir("/")


class Obstacles:
    """What holds up the jobs that a command waits for: told as it comes, an error if it does not pass."""

    def __init__(self, project: Project, tell: Callable[[HoldUp], None]) -> None:
        self._project = project
        self._tell = tell
        self._noted: tuple[str, float] = ("", 0.0)
        self._seen = float("-inf")
        self._idle = time.monotonic()

    def look(self, progress: Progress, tip: Sha | None) -> None:
        """Say what holds the jobs up; raises it as :class:`WtwatchError` if it does not go on by itself."""
        daemon = status.daemon()
        if daemon.running:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen < BACK:
            return
        found = [holdup.of_daemon(self._project, daemon), holdup.of_queue(self._project, progress, tip)]
        if progress.running is not None or any(found):
            self._idle = time.monotonic()
        elif time.monotonic() - self._idle > _RARELY:
            self._idle = time.monotonic()
            found.append(holdup.of_lock(self._project, daemon))
        for held in filter(None, found):
            if not held.lasts:
                self._tell(held)
            elif not (held.noted and self._may_be_gone(held)):
                raise held.error()

    def _may_be_gone(self, held: HoldUp) -> bool:
        """Return whether the daemon has yet to look anew at what it noted; it is rung for."""
        reason, since = self._noted
        if reason != held.reason:
            self._noted = (held.reason, time.monotonic())
            ring_for(self._project)
            return True
        return time.monotonic() - since < PATIENCE or holdup.is_held(self._project)


class _Wait:
    """One wait, and what was told already."""

    def __init__(self, project: Project, queue: Queue, named: Collection[int] | None) -> None:
        self.project = project
        self.named = named
        self.began = now() - timedelta(seconds=processes.age(os.getpid()))
        self.waiter = Waiter(queue.file, named, self.began)  # a job may end while this command is loading
        self.screen = waiting.Screen()
        self.obstacles = Obstacles(project, self.screen.explain)
        self.told: set[int] = set()
        self.was_there = queue.file.exists()

    def until_done(self) -> int:
        """Wait; return the exit code."""
        began = time.monotonic()
        try:
            progress = self._follow()
        finally:
            self.screen.close()
        if self.named is None and not status.daemon().running and self.project.host in ("", host()):
            raise WtwatchError("No daemon runs.", START)
        if not progress.states:
            say("Nothing runs, and nothing is due.")
        elif self.screen.live or len(progress.states) > 1:
            say(waiting.summary(progress, time.monotonic() - began))
        held = [job for job, word in progress.states.items() if word == "held"]
        if held:
            warn(f"Job {ranged(held)} needs approval: wtwatch queue approve {ranged(held)}")
        return 1 if progress.unseen - progress.before or held else 0

    def _follow(self) -> Progress:
        """Look until all is done, and tell what happens meanwhile. Raises what it will not go on for."""
        at = tip.read(self.project).commit
        self.waiter.changed()
        progress = self._look(at)
        self._tell(progress, at_first=True)
        if not self._is_done(progress):
            holdup.inside(self.project, progress)
        while not self._is_done(progress):
            self.obstacles.look(progress, at)
            self.screen.draw(progress, now())
            time.sleep(POLL)
            if self.waiter.changed():
                at = tip.read(self.project).commit
                progress = self._look(at)
                self._tell(progress)
        return progress

    def _look(self, at: Sha | None) -> Progress:
        """Look; raises :class:`WtwatchError` if the queue went away: that does not mean it is done."""
        progress = self.waiter.look(at)
        if self.was_there and not self.waiter.file.exists():
            raise WtwatchError(
                f"{self.waiter.file} is gone, and with it what there is to wait for.",
                "Mount its disk, or see what became of it: wtwatch status",
            )
        return progress

    def _is_done(self, progress: Progress) -> bool:
        if self.named is not None:
            return not progress.left()
        return progress.running is None and not progress.due and not progress.coming

    def _tell(self, progress: Progress, at_first: bool = False) -> None:
        """Say which jobs ended; at first, of those that nobody named, which failed or have just ended."""
        over = progress.states.keys() - set(progress.left()) - self.told
        for job in self.waiter.jobs(over):
            before = isinstance(job.state, Ended) and job.state.ended < self.began
            if not (at_first and self.named is None and before and job.id not in progress.unseen):
                self.screen.tell(job)
        self.told |= over
