"""``wtwatch queue``: queue jobs, and look after them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import click

from wtwatch.commands import completing, queue_list, queue_logs, queue_wait, show
from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.commands.wishes import wish_options
from wtwatch.doors import capacity, containers, dataset
from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project, host
from wtwatch.project.registry import need_run_tree, one
from wtwatch.project.tree import RunTree
from wtwatch.queue import candidates, checks, kinds, orders, sharing
from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import JobId
from wtwatch.queue.wanted import wanted
from wtwatch.tree import tip as bookmark
from wtwatch.tree import weight
from wtwatch.views import abreast, jobplan
from wtwatch.views.jobwords import is_bad, ranged
from wtwatch.views.terminal import say, say_folded, warn
from wtwatch.words import executors, resources
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Running, Trigger, counted
from wtwatch.words.quoting import quoted
from wtwatch.words.resources import Resources

MANY = 1000
"""Jobs from which on it is asked whether so many were meant."""


@click.group("queue")
def command() -> None:
    """Queue jobs for the run tree, and look after them."""


for _view in (queue_list.show_list, show.command, queue_logs.logs, queue_wait.wait):
    command.add_command(_view)


def _orders(function: Any) -> Any:
    """Give a command the options of all that queues jobs, in ``order``: see :class:`Order`."""

    def gathered(**given: Any) -> None:
        flags = [trigger for trigger in Trigger if given.pop(trigger.name.lower())]
        if len(flags) > 1:
            words = " and ".join(f"--{flag.value}" for flag in flags)
            raise UsageError(f"{words} contradict each other.", "Choose when it shall start, once.")
        trigger = flags[0] if flags else Trigger.NOW
        order = Order(trigger, given.pop("first"), given.pop("dry_run"), given.pop("yes"))
        if order.first is not None and trigger is Trigger.EVERY_MOVE:
            raise UsageError(
                "--first is for one batch, and --every-move makes many.", "Leave one of both out."
            )
        function(order=order, **given)

    gathered.__doc__ = function.__doc__
    decorated: Any = gathered
    for words, help_text in (
        (("--yes",), "do not ask, whatever looks odd"),
        (("-n", "--dry-run"), "show the jobs, and queue nothing"),
        (("--every-move",), "a new batch at every move"),
        (("--on-move",), "once, after the next move of the bookmark"),
        (("--now",), "next in line (default)"),
    ):
        decorated = click.option(*words, is_flag=True, help=help_text)(decorated)
    kind, text = click.IntRange(min=1), "run so many jobs of the batch, then pause the queue"
    return click.option("--first", type=kind, metavar="N", help=text)(decorated)


class Order(NamedTuple):
    """When jobs are to start, after how many the queue pauses, and whether to ask or only to show."""

    trigger: Trigger
    first: int | None
    dry_run: bool
    yes: bool


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
@click.option("--plain", is_flag=True, help="run the command as it is, not through `datalad run`")
@project_option
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="-- COMMAND...",
    shell_complete=completing.files,
)
@_orders
def add(order: Order, each: tuple[str, ...], project: str | None, want: Resources, **asked: Any) -> None:
    """Queue COMMAND, as `datalad run` has it; with --each, one job for each combination."""
    if not asked["words"]:
        raise UsageError("There is no command.", "wtwatch queue add [OPTIONS] -- COMMAND…")
    chosen = one(project)
    specs = orders.expand(orders.Request(each=each, **asked), chosen)
    _queue(chosen, [resources.with_wishes(spec, want) for spec in specs], order)


@command.command("rerun")
@project_option
@click.argument("revisions", nargs=-1, metavar="REV...")
@wish_options
@_orders
def rerun(order: Order, project: str | None, want: Resources, revisions: tuple[str, ...]) -> None:
    """Queue the commands that result commits REV record, to run again on the newest code."""
    if not revisions:
        raise UsageError("Which results?", "wtwatch queue rerun REV…   (see `git log` of the run tree)")
    chosen = one(project)
    need_run_tree(chosen)
    specs = [_rerun_of(chosen, rev) for rev in revisions]
    _queue(chosen, [resources.with_wishes(spec, want) for spec in specs], order)


def _rerun_of(project: Project, rev: str) -> JobSpec:
    commit = Repo(project.run_tree).resolve(rev)
    if commit is None:
        raise UsageError(
            f"{project.run_tree} has no commit {rev!r}.", f"git -C {quoted(project.run_tree)} log"
        )
    spec = dataset.spec_of(project.run_tree, commit)
    if spec is None:
        hint = f"git -C {quoted(project.run_tree)} log --grep 'DATALAD RUNCMD'"
        raise UsageError(f"The commit {rev} has no record of a `datalad run`.", hint)
    orders.check_inside(spec, project.run_tree)
    return spec


def _queue(project: Project, specs: list[JobSpec], order: Order) -> None:
    queue, trigger = Queue(project.state), order.trigger
    _check_host(project, map(resources.of, specs))
    odd = checks.meeting_outputs(specs)
    if order.dry_run:
        for line in jobplan.lines(specs, project.run_tree):
            say(line)
        if odd:
            warn(f"{odd}.")
        _warn_of_inputs(project, queue, specs)
        _warn_of_lines(project, specs)
        return
    if len(specs) > MANY and not order.yes:
        _ask(f"That makes {len(specs):,} jobs", "Was that meant?")
    if odd and not order.yes:
        _ask(odd, "The later result replaces the earlier one. Is that meant?")
    tip, missing, _ = bookmark.read(project)
    if tip is None:
        how = missing or "gone"
        raise WtwatchError(f"The bookmark {project.bookmark} is {how}.", "wtwatch release REV sets it anew.")
    if trigger is Trigger.EVERY_MOVE:
        made = queue.add_standing(specs, tip)
        each_time = counted(len(specs), "job")
        say_folded(f"Standing s{made.id}: {each_time}, a new batch at every move of {project.bookmark}.")
    else:
        jobs = queue.add(specs, trigger, tip, order.first)
        first, last = jobs[0].id, jobs[-1].id
        named = f"Job {first}" if first == last else f"Jobs {first}–{last}"
        when = "next in line" if trigger is Trigger.NOW else f"after the next move of {project.bookmark}"
        which = "on the code that the run tree is at when the batch starts"
        say_folded(f"{named} in batch {jobs[0].batch}: {when}, {which} (now {tip[:10]}).")
        if order.first is not None and order.first < len(jobs):
            say(f"After {counted(order.first, 'job')} the queue pauses, until `wtwatch queue resume`.")
        _tell_of_lanes(project, queue, jobs)
    _warn_of_inputs(project, queue, specs)
    _warn_of_lines(project, specs)
    ring_for(project)
    warn_of_daemon(project)


def _check_host(project: Project, wants: Iterable[Resources]) -> None:
    """Raise :class:`UsageError` for jobs that ask for more than the host has on which they will run."""
    if executors.of(project.executor).kind != "here" or project.host not in ("", host()):
        return
    have = capacity.of_this_host()
    for want in dict.fromkeys(wants):
        if lacking := sharing.too_much(have, want):
            raise UsageError(f"A job {lacking.reason}.", lacking.hint)


def _tell_of_lanes(project: Project, queue: Queue, jobs: list[Job]) -> None:
    """Say what lanes mean for jobs that were queued, or, once, what they would bring."""
    if len(jobs) < 2:
        return
    if project.in_lanes:
        for text in abreast.warnings(jobs):
            say_folded(text)
        return
    have = candidates.shared(project)
    if have is None or have.cpus < 2 or queue.lanes_offered():
        return
    lanes = abreast.offer(jobs, project.run_tree, have)
    if lanes > 1:
        with suppress(WtwatchError):  # the run tree is not there just now
            say_folded(abreast.offer_words(len(jobs), lanes, weight.of(project.run_tree)))
            queue.note_lanes_offered()


def _ask(what: str, question: str) -> None:
    """Go on only if the user says so; where nobody can be asked, say how that is said beforehand."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(f"{what}. {question}", "If it is: the same with --yes. To see the jobs: --dry-run.")
    if not click.confirm(f"{what}. {question}", err=True):
        raise UsageError("Nothing was queued.", "To see the jobs: --dry-run.")


def _warn_of_inputs(project: Project, queue: Queue, specs: list[JobSpec]) -> None:
    if not any(spec.inputs for spec in specs):
        return
    made = [path for spec in queue.waiting_specs() for path in spec.outputs]
    absent = checks.absent_inputs(specs, [project.run_tree, project.main_tree], made)
    if absent:
        warn(f"Warning: {absent}.")


def _warn_of_lines(project: Project, specs: list[JobSpec]) -> None:
    """Say so if of a shell line only the beginning runs in its container, as in `containers-run`."""
    names = {spec.container for spec in specs if spec.container}
    known = {name: containers.found(project.run_tree, name) for name in names}
    for spec in specs:
        if spec.container and known[spec.container].leaves_out(spec.command):
            warn(
                f"Warning: of `{spec.command}` only the first command runs in {spec.container}, the rest "
                "outside of it. Write -- sh -c '…' to have all of it run there."
            )
            return


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
    _check_host(chosen, [want])
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
