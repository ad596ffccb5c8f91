"""``wtwatch queue cancel``: take jobs back."""

from __future__ import annotations

import click

from wtwatch.commands.front import ring_for
from wtwatch.commands.queue.choosing import Kind, jobs_argument, jobs_meant
from wtwatch.job import lifecycle
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.views.jobwords import ranged
from wtwatch.views.terminal import say
from wtwatch.words.model import Ended, counted


@click.command("cancel")
@jobs_argument
def command(words: tuple[str, ...], batches: tuple[str, ...], project: str | None) -> None:
    """Take waiting or standing jobs back; stop running ones.

    JOBS are numbers, ranges such as 5-8, standing jobs such as s1; --batch N means all that is left of it.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    kind = Kind(lambda job: not isinstance(job.state, Ended), "All of these jobs are over.")
    meant = jobs_meant(queue, words, batches, kind, standing=True)
    running = queue.cancel(meant)
    for job in running:
        lifecycle.stop(RunTree.of(chosen), job)
    ring_for(chosen)
    count = f"{counted(len(meant), 'job')} cancelled" if len(meant) != 1 else f"Cancelled {meant[0]}"
    which = ranged(job.id for job in running)
    stopped = f"; job {which} is told to stop" if len(running) == 1 else f"; jobs {which} are told to stop"
    stopped = stopped if running else ""
    say(f"{count}{stopped}.")
