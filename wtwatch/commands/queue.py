"""``wtwatch queue``: queue jobs, and look after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import click

from wtwatch.commands import completing, queue_list, queue_load, queue_logs, queue_rerun, queue_wait, show
from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.commands.ordering import Order, check_host, order_options, queue_jobs
from wtwatch.commands.wishes import wish_options
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue import kinds, orders
from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import JobId
from wtwatch.queue.wanted import wanted
from wtwatch.views.jobwords import is_bad, ranged
from wtwatch.views.terminal import say
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Ended, Held, Job, Running, counted
from wtwatch.words.resources import Resources


@click.group("queue")
def command() -> None:
    """Queue jobs for the run tree, and look after them."""


for _one in (queue_list.show_list, show.command, queue_logs.logs, queue_wait.wait):
    command.add_command(_one)
for _one in (queue_load.load, queue_rerun.rerun):
    command.add_command(_one)


@command.command("add", context_settings={"allow_interspersed_args": False})
@click.option("-m", "--message", metavar="MSG", help="the message of the result commit")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="IN",
    help="a file or folder that is needed",
    shell_complete=completing.files,
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="OUT",
    help="a file or folder that is made",
    shell_complete=completing.files,
)
@click.option("--each", multiple=True, metavar="NAME=A,B", help="one job for each value of {NAME}")
@click.option(
    "--setenv",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="a variable for the command; NAME: as in this shell",
)
@click.option(
    "--container",
    metavar="NAME",
    help="run it in this container, as `datalad containers-run -n NAME` does",
    shell_complete=completing.containers,
)
@wish_options
@click.option("--drop-fetched", is_flag=True, help="drop again what a job itself got of its inputs")
@click.option(
    "--uses",
    multiple=True,
    metavar="PATH",
    help="what it uses, instead of what is seen: files, folders, globs",
    shell_complete=completing.files,
)
@click.option("--plain", is_flag=True, help="run the command as it is, not through `datalad run`")
@project_option
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="-- COMMAND...",
    shell_complete=completing.files,
)
@order_options
def add(order: Order, each: tuple[str, ...], project: str | None, want: Resources, **asked: Any) -> None:
    """Queue COMMAND, as `datalad run` has it; with --each, one job for each combination."""
    if not asked["words"]:
        raise UsageError("There is no command.", "wtwatch queue add [OPTIONS] -- COMMAND…")
    chosen = one(project)
    specs = orders.expand(orders.Request(each=each, **asked), chosen)
    queue_jobs(chosen, [resources.with_wishes(spec, want) for spec in specs], order)


def _jobs(function: Any) -> Any:
    """Give a command the argument JOBS and the option --batch: see :mod:`wtwatch.queue.wanted`."""
    jobs = completing.jobs_and_standing
    argument = click.argument("words", nargs=-1, metavar="[JOBS]...", shell_complete=jobs)
    decorated: Any = argument(completing.batch_option("all jobs of a batch")(project_option(function)))
    return decorated


class _Kind(NamedTuple):
    """Which jobs a command is for, and what is said where there are none among those that were named."""

    fits: Callable[[Job], bool]
    otherwise: str


def _meant(
    queue: Queue,
    words: tuple[str, ...],
    batches: tuple[str, ...],
    kind: _Kind,
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


@command.command("cancel")
@_jobs
def cancel(words: tuple[str, ...], batches: tuple[str, ...], project: str | None) -> None:
    """Take waiting or standing jobs back; stop running ones.

    JOBS are numbers, ranges such as 5-8, standing jobs such as s1; --batch N means all that is left of it.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    kind = _Kind(lambda job: not isinstance(job.state, Ended), "All of these jobs are over.")
    meant = _meant(queue, words, batches, kind, standing=True)
    running = queue.cancel(meant)
    for job in running:
        lifecycle.stop(RunTree.of(chosen), job)
    ring_for(chosen)
    count = f"{counted(len(meant), 'job')} cancelled" if len(meant) != 1 else f"Cancelled {meant[0]}"
    which = ranged(job.id for job in running)
    stopped = f"; job {which} is told to stop" if len(running) == 1 else f"; jobs {which} are told to stop"
    stopped = stopped if running else ""
    say(f"{count}{stopped}.")


@command.command("retry")
@click.option("--failed", is_flag=True, help="what failed or was interrupted, and was not acknowledged")
@click.option("--resume", is_flag=True, help="each finds what it left of its outputs, and goes on from there")
@wish_options
@_jobs
def retry(
    words: tuple[str, ...], batches: tuple[str, ...], want: Resources, project: str | None, **how: bool
) -> None:
    """Queue jobs again, as a new batch on the code of today.

    They ask for what they asked for before, but for what is given here: --time 4h for one whose time was up.
    With --failed alone: all whose failure still stands, each once, though it failed in several batches.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    older: list[Job] = []
    failed = how["failed"]
    check_host(chosen, [want])
    if not (failed or words or batches):
        raise UsageError("Which jobs?", "wtwatch queue retry --failed, or numbers such as 3 or 5-8.")
    if failed and not words and not batches:
        standing, older = kinds.to_retry(queue.jobs())
        meant: list[JobId] = [job.id for job in standing]
        if not meant and not older:
            raise UsageError("No job failed that was not seen.", "`wtwatch queue list --failed` shows all.")
    else:
        ended = _Kind(lambda job: isinstance(job.state, Ended), "None of these jobs has ended.")
        kind = _Kind(is_bad, "None of these jobs failed.") if failed else ended
        meant = _meant(queue, words, batches, kind)
    notes.check_cleared(chosen, _ended(queue, meant))
    made = queue.retry(meant, how["resume"], want)
    queue.acknowledge([job.id for job in older])
    ring_for(chosen)
    if made:
        say(f"{counted(len(made), 'job')} again, in batch {made[0].batch}.")
    for job in older:
        say(f"Job {job.id} is not run again: the same ran later. Its failure counts as seen.")
    if made:
        warn_of_daemon(chosen)


def _ended(queue: Queue, meant: Iterable[JobId]) -> set[int]:
    """Return which of these are jobs that ended; all else will be said by who is asked to do something."""
    numbers = [int(job) for job in meant if str(job).isdecimal()]
    return {number for number in numbers if (job := queue.find(number)) and isinstance(job.state, Ended)}


@command.command("approve")
@click.option("--all", "every", is_flag=True, help="all that are held")
@_jobs
def approve(words: tuple[str, ...], batches: tuple[str, ...], project: str | None, every: bool) -> None:
    """Let jobs start whose commands came with somebody else's commits.

    `wtwatch show JOB` shows what one would run, `wtwatch queue list --state held` all of them.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    if every and (words or batches):
        raise UsageError("--all means all that are held.", "Leave out --all, or the jobs.")
    kind = _Kind(lambda job: isinstance(job.state, Held), "None of these jobs needs approval.")
    meant = [job.id for job in queue.held()] if every else _meant(queue, words, batches, kind)
    if not meant:
        raise UsageError("No job needs approval.", "`wtwatch queue list` shows how they stand.")
    made = queue.approve(meant)
    ring_for(chosen)
    say(f"Approved {counted(len(made), 'job')}, now batch {made[0].batch}: next in line.")
    warn_of_daemon(chosen)


@command.command("pause")
@project_option
def pause(project: str | None) -> None:
    """Start no further job; what runs goes on, and a batch under way keeps its code."""
    chosen = one(project)
    Queue(chosen.state).pause()
    ring_for(chosen)
    say("Paused. `wtwatch queue resume` goes on.")


@command.command("resume")
@project_option
def resume(project: str | None) -> None:
    """Start jobs again."""
    chosen = one(project)
    queue = Queue(chosen.state)
    paused = queue.paused()
    queue.resume()
    ring_for(chosen)
    say("Going on." if paused else "Nothing was paused.")
    if queue.next_job() is not None:
        warn_of_daemon(chosen)


@command.command("remove")
@_jobs
def remove(words: tuple[str, ...], batches: tuple[str, ...], project: str | None) -> None:
    """Forget jobs that do not run, and their logs; results stay, and so does what failed ones left."""
    chosen = one(project)
    shelf, queue = RunTree.of(chosen).shelf, Queue(chosen.state)
    kind = _Kind(lambda job: not isinstance(job.state, Running), "All of these jobs run.")
    meant = _meant(queue, words, batches, kind, standing=True)
    notes.check_cleared(chosen, _ended(queue, meant))
    kept = []
    for job in queue.remove(meant):
        for attempt in Folder.all_of(chosen.state, job):
            attempt.forget()
        kept += sorted(shelf.glob(f"jobs/{job}.*"))
    ring_for(chosen)
    say(f"Removed {meant[0]}." if len(meant) == 1 else f"Removed {counted(len(meant), 'job')}.")
    for folder in kept:
        say(f"What it left stays in {folder}")
