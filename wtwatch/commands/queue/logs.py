"""``wtwatch queue logs``: what jobs printed, and are printing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.commands.queue.wait import POLL, Obstacles, stand_aside
from wtwatch.doors.processes import is_alive
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import Chosen, page
from wtwatch.queue.progress import Waiter
from wtwatch.queue.wanted import wanted
from wtwatch.tree import tip
from wtwatch.views import holdup, logtext, status
from wtwatch.views.holdup import HoldUp
from wtwatch.views.jobdocument import log_of
from wtwatch.views.jobwords import BAD, caption, needs_attention, outcome
from wtwatch.views.logtail import Tail
from wtwatch.views.terminal import say, styled, warn
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, Job, Running


class _Part(NamedTuple):
    """Which part of a log is asked for: the last ``lines``, those with ``pattern``; ``None``: all."""

    lines: int | None
    pattern: re.Pattern[str] | None


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="go on until the jobs end")
@click.option("-n", "lines", type=click.IntRange(min=0), metavar="LINES", help="the last LINES of each")
@click.option("--grep", "pattern", metavar="RE", help="the lines in which RE is found (as in Python)")
@click.option("--failed", is_flag=True, help="of all that failed or were interrupted, and nobody saw")
@completing.batch_option("of the jobs of batch N")
@click.argument("jobs", nargs=-1, metavar="[JOBS]...", shell_complete=completing.jobs)
@project_option
def command(follow: bool, failed: bool, jobs: tuple[str, ...], project: str | None, **asked: Any) -> None:
    """Print what JOBS (numbers, ranges 12-20) printed, each under a line of its own if they are several.

    With -f, lines of several come as they are printed, each with the number of its job in front.
    """
    chosen = one(project)
    part = _Part(asked["lines"], _compiled(asked["pattern"]))
    queue = Queue(chosen.state)
    numbers = [int(job) for job in wanted(queue.file, jobs, asked["batches"])]
    numbers += [job for job in _failed(queue) if job not in numbers] if failed else []
    if not numbers:
        none = " (there are none that failed and nobody saw)" if failed else ""
        raise UsageError("Which jobs?", f"wtwatch queue logs JOB…, or --failed{none}.")
    stand_aside()
    if follow and len(numbers) > 1:
        _interleave(chosen, numbers, part)
        return
    for number in numbers:
        job = queue.job(number)
        if len(numbers) > 1:
            say(styled(f"==> job {job.id}, {outcome(job)}: {caption(job.spec)} <==", bold=True))
        _show(chosen, job, part, follow)


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--grep {pattern!r} is no regular expression: {error}.",
            "Write \\ before a letter that has a meaning there, such as a bracket.",
        ) from error


def _failed(queue: Queue) -> list[int]:
    states = tuple(outcome.value for outcome in BAD)
    found = page(queue.file, Chosen(states, retried=False)).rows
    return [row.job.id for row in found if needs_attention(row.job)]


def _show(project: Project, job: Job, part: _Part, follow: bool) -> None:
    log = log_of(project, job)
    if not log.exists() and not (follow and not isinstance(job.state, Ended)):
        warn(f"Job {job.id} has no log: it is {job.word}.")
    if part.pattern is not None:
        _print(logtext.matching(log, part.pattern, part.lines))
    is_over = isinstance(job.state, Ended)  # then what DataLad said of its end is not among its last lines
    end = logtext.end_of_words(log) if part.lines is not None and is_over else None
    at = 0 if part.lines is None else logtext.start_of_last(log, part.lines, end)
    if part.pattern is None:
        at = _print(logtext.copied(log, at, inf if end is None else end), at)
    if follow:
        _follow(project, job.id, at)
    ended = Queue(project.state).job(job.id)
    if isinstance(ended.state, Ended) and ended.state.detail:  # what was not for the job itself to print
        warn(f"Job {job.id} {ended.word}: {ended.state.detail}")


def _follow(project: Project, number: int, at: int) -> None:
    """Print on until the job ends; raises :class:`WtwatchError` if it cannot, or nobody would note it."""
    queue = Queue(project.state)
    told: set[HoldUp] = set()
    obstacles = Obstacles(project, lambda held: _tell(held, told))
    waiter = Waiter(queue.file, [number])
    job = queue.job(number)
    while not isinstance(job.state, Ended):
        if isinstance(job.state, Running):
            _check_end(project, job)
        else:
            commit = tip.read(project).commit
            obstacles.look(waiter.look(commit), commit)
        at = _print(logtext.copied(log_of(project, job), at), at)
        time.sleep(POLL)
        if waiter.changed():
            job = queue.job(number)
    _print(logtext.copied(log_of(project, job), at), at)


def _interleave(project: Project, numbers: Sequence[int], part: _Part) -> None:
    """Print what several jobs print, by whole lines with the job's number before each, until all ended.

    Raises what :func:`_follow` does.
    """
    queue, told = Queue(project.state), set[HoldUp]()
    obstacles = Obstacles(project, lambda held: _tell(held, told))
    waiter = Waiter(queue.file, numbers)
    width = max(len(str(number)) for number in numbers)
    jobs = {number: queue.job(number) for number in numbers}
    tails = {number: Tail(project, job, part.lines) for number, job in jobs.items()}
    while True:
        for number, job in jobs.items():
            for line in tails[number].lines(job):
                if part.pattern is None or part.pattern.search(line.decode("utf-8", "surrogateescape")):
                    click.echo(f"{number:>{width}} │ ".encode() + line)
            if tails[number].is_over_now(job):
                end = f": {job.state.detail}" if isinstance(job.state, Ended) and job.state.detail else ""
                warn(f"Job {number} {outcome(job)}{end}")
        left = [job for job in jobs.values() if not isinstance(job.state, Ended)]
        if not left:
            return
        for job in left:
            if isinstance(job.state, Running):
                _check_end(project, job)
        if not any(isinstance(job.state, Running) for job in left):
            commit = tip.read(project).commit
            obstacles.look(waiter.look(commit), commit)
        time.sleep(POLL)
        if waiter.changed():
            jobs = {number: queue.job(number) for number in numbers}


def _tell(held: HoldUp, told: set[HoldUp]) -> None:
    if held not in told:
        told.add(held)
        warn("\n  ".join([f"Waiting: {held.reason}", *(held.hint or "").splitlines()]))


def _check_end(project: Project, job: Job) -> None:
    """Raise :class:`WtwatchError` if a job is over and nobody is there to note how it ended."""
    started = Folder.of(project.state, job.id, job.attempt).started()
    if started is not None and not is_alive(started) and not status.daemon().running:
        raise WtwatchError(f"Job {job.id} is over, but no daemon runs to note how it ended.", holdup.START)


def _print(parts: Iterable[bytes] | Iterator[bytes], at: int = 0) -> int:
    """Print parts of a log; return at which byte that ends which began at ``at``."""
    for part in parts:
        click.echo(part, nl=False)
        at += len(part)
    return at
