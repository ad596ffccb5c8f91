"""Which jobs the words of a command mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import JobId
from wtwatch.queue.wanted import wanted
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Ended, Job


def jobs_argument(function: Any) -> Any:
    """Give a command the argument JOBS and the option --batch: see :mod:`wtwatch.queue.wanted`."""
    jobs = completing.jobs_and_standing
    argument = click.argument("words", nargs=-1, metavar="[JOBS]...", shell_complete=jobs)
    decorated: Any = argument(completing.batch_option("all jobs of a batch")(project_option(function)))
    return decorated


class Kind(NamedTuple):
    """Which jobs a command is for, and what is said where there are none among those that were named."""

    fits: Callable[[Job], bool]
    otherwise: str


def jobs_meant(
    queue: Queue,
    words: tuple[str, ...],
    batches: tuple[str, ...],
    kind: Kind,
    standing: bool = False,
) -> list[JobId]:
    """Return the jobs that JOBS name: those named by their number, and of ranges and batches which fit.

    Raises :class:`UsageError` if none does.
    """
    if not words and not batches:
        raise UsageError("Which jobs?", "Numbers such as 3 or 5-8, or --batch 2: see `wtwatch queue list`.")
    alone = [word for word in words if word.isdigit() or word.startswith("s")]
    many = wanted(queue.file, [word for word in words if word not in alone], batches)
    known = {job.id: job for job in queue.jobs()} if many else {}
    chosen = [job for job in many if isinstance(job, int) and kind.fits(known[job])]
    if many and not chosen and not alone:
        raise UsageError(kind.otherwise, "`wtwatch queue list` says how they stand.")
    return list(dict.fromkeys([*wanted(queue.file, alone, standing=standing), *chosen]))


def ended_of(queue: Queue, meant: Iterable[JobId]) -> set[int]:
    """Return which of these are jobs that ended; all else will be said by who is asked to do something."""
    numbers = [int(job) for job in meant if str(job).isdecimal()]
    return {number for number in numbers if (job := queue.find(number)) and isinstance(job.state, Ended)}
