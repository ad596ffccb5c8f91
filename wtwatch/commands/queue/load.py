"""``wtwatch queue load``: a whole batch from a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from wtwatch.commands import completing, ordering
from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.project.config import Project
from wtwatch.project.registry import need_run_tree, one
from wtwatch.queue import batchfiles, expanding
from wtwatch.queue.batchfiles import Read
from wtwatch.queue.jobs import Queue
from wtwatch.queue.loads import Placed
from wtwatch.tree import tip as bookmark
from wtwatch.views import jobplan
from wtwatch.views.jobwords import ranged
from wtwatch.views.terminal import say, say_folded
from wtwatch.words import resources
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Trigger, counted


@click.command("load")
@click.option(
    "--first",
    type=click.IntRange(min=1),
    metavar="N",
    help="run so many jobs of the batch, then pause the queue",
)
@click.option("-n", "--dry-run", is_flag=True, help="show the jobs, and queue nothing")
@click.option("--yes", is_flag=True, help="do not ask, however many jobs it makes")
@project_option
@click.argument("file", metavar="FILE.toml", type=click.Path(path_type=Path), shell_complete=completing.files)
def command(file: Path, first: int | None, dry_run: bool, yes: bool, project: str | None) -> None:
    """Queue the jobs that FILE.toml asks for; the same file again replaces what it loaded.

    What of it waits or stands is replaced, what runs or is over stays. A job that runs or ran on today's code
    is not queued again.
    """
    chosen = one(project)
    need_run_tree(chosen)
    found = batchfiles.read(file, chosen)
    _check(found, first)
    specs = list(expanding.expand(found.recipe, chosen).specs)
    ordering.check_host(chosen, map(resources.of, specs))
    queue = Queue(chosen.state)
    if dry_run:
        for line in (*_axes(found), *jobplan.lines(specs, chosen.run_tree, values=True)):
            say(line)
        ordering.warn_of_inputs(chosen, queue, specs)
        ordering.warn_of_lines(chosen, specs)
        return
    ordering.ask_if_many(specs, yes)
    tip, missing, _ = bookmark.read(chosen)
    if tip is None:
        raise WtwatchError(
            f"The bookmark {chosen.bookmark} is {missing or 'gone'}.", "wtwatch release REV sets it anew."
        )
    placed = queue.load(batchfiles.to_load(found, specs), tip, first)
    _say(chosen, found, placed)
    if placed.jobs:
        ordering.tell_of_lanes(chosen, queue, placed.jobs)
    ordering.warn_of_inputs(chosen, queue, specs)
    ordering.warn_of_lines(chosen, specs)
    ring_for(chosen)
    warn_of_daemon(chosen)


def _check(found: Read, first: int | None) -> None:
    asked = found.recipe
    if first is not None and asked.trigger is Trigger.EVERY_MOVE:
        raise UsageError(
            f'--first is for one batch, and trigger = "{asked.trigger.value}" makes many.',
            "Leave one of both out.",
        )


def _axes(found: Read) -> Iterator[str]:
    """Yield where the values of the jobs come from."""
    yield f"{found.recipe.name}, from {found.path}"
    for axis in found.recipe.axes:
        where = f"found by {axis.glob}" if axis.glob is not None else counted(len(axis.values), "value")
        yield f"   {axis.name}: {where}"


def _say(project: Project, found: Read, placed: Placed) -> None:
    name, standing = found.recipe.name, placed.standing
    if not placed.jobs and standing is None and not placed.replaced:
        say_folded(f"{name}: unchanged, all that {found.path} asks for is queued, or ran on this code.")
        return
    if standing is not None:
        each_time = counted(len(standing.specs), "job")
        say_folded(
            f"{name}: standing s{standing.id}, {each_time}, a new batch at every move of {project.bookmark}."
        )
    if placed.jobs:
        jobs = ranged(job.id for job in placed.jobs)
        which = "job" if len(placed.jobs) == 1 else "jobs"
        when = "next in line"
        if found.recipe.trigger is Trigger.ON_MOVE:
            when = f"after the next move of {project.bookmark}"
        say_folded(f"{name}: {which} {jobs} in batch {placed.jobs[0].batch}, {when}.")
    if placed.replaced:
        were = "job that waited was" if placed.replaced == 1 else "jobs that waited were"
        say(f"{placed.replaced} {were} replaced.")
    if placed.done:
        again = "`wtwatch queue retry` runs such again"
        say_folded(f"Not queued again: {counted(placed.done, 'job')} that ran or runs on this code; {again}.")
