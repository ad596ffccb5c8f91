"""What all commands that queue jobs have: their options, the checks, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import click

from wtwatch.commands.front import ring_for, warn_of_daemon
from wtwatch.doors import capacity, containers
from wtwatch.project.config import Project, host
from wtwatch.queue import candidates, checks, sharing
from wtwatch.queue.jobs import Queue
from wtwatch.tree import tip as bookmark
from wtwatch.tree import weight
from wtwatch.views import abreast, jobplan
from wtwatch.views.terminal import say, say_folded, warn
from wtwatch.words import executors, resources
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Job, JobSpec, Trigger, counted
from wtwatch.words.resources import Resources

MANY = 1000
"""Jobs from which on it is asked whether so many were meant."""


def order_options(function: Any) -> Any:
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


def queue_jobs(project: Project, specs: list[JobSpec], order: Order) -> None:
    """Queue jobs as one batch, or as standing ones, or show them; raises :class:`UsageError`."""
    queue, trigger = Queue(project.state), order.trigger
    check_host(project, map(resources.of, specs))
    odd = checks.meeting_outputs(specs)
    if order.dry_run:
        for line in jobplan.lines(specs, project.run_tree):
            say(line)
        if odd:
            warn(f"{odd}.")
        warn_of_inputs(project, queue, specs)
        warn_of_lines(project, specs)
        return
    ask_if_many(specs, order.yes)
    if odd and not order.yes:
        ask(odd, "The later result replaces the earlier one. Is that meant?")
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
        tell_of_lanes(project, queue, jobs)
    warn_of_inputs(project, queue, specs)
    warn_of_lines(project, specs)
    ring_for(project)
    warn_of_daemon(project)


def check_host(project: Project, wants: Iterable[Resources]) -> None:
    """Raise :class:`UsageError` for jobs that ask for more than the host has on which they will run."""
    if executors.of(project.executor).kind != "here" or project.host not in ("", host()):
        return
    have = capacity.of_this_host()
    for want in dict.fromkeys(wants):
        if lacking := sharing.too_much(have, want):
            raise UsageError(f"A job {lacking.reason}.", lacking.hint)


def tell_of_lanes(project: Project, queue: Queue, jobs: Sequence[Job]) -> None:
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


def ask(what: str, question: str) -> None:
    """Go on only if the user says so; where nobody can be asked, say how that is said beforehand."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(f"{what}. {question}", "If it is: the same with --yes. To see the jobs: --dry-run.")
    if not click.confirm(f"{what}. {question}", err=True):
        raise UsageError("Nothing was queued.", "To see the jobs: --dry-run.")


def ask_if_many(specs: Sequence[JobSpec], yes: bool) -> None:
    """Go on with very many jobs only if the user says so."""
    if len(specs) > MANY and not yes:
        ask(f"That makes {len(specs):,} jobs", "Was that meant?")


def warn_of_inputs(project: Project, queue: Queue, specs: Sequence[JobSpec]) -> None:
    """Say so if an input is neither there nor made by a job that is queued, or a stated use not there."""
    trees = [project.run_tree, project.main_tree]
    if absent := checks.absent_uses(specs, trees):
        warn(f"Warning: {absent}.")
    if not any(spec.inputs for spec in specs):
        return
    made = [path for spec in queue.waiting_specs() for path in spec.outputs]
    absent = checks.absent_inputs(specs, trees, made)
    if absent:
        warn(f"Warning: {absent}.")


def warn_of_lines(project: Project, specs: Sequence[JobSpec]) -> None:
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
