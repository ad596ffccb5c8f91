"""``wtwatch queue approve``: let held jobs start."""

from __future__ import annotations

import click

from wtwatch.commands.front import ring_for, warn_of_daemon
from wtwatch.commands.queue.choosing import Kind, jobs_argument, jobs_meant
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.views.terminal import say
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Held, counted


@click.command("approve")
@click.option("--all", "every", is_flag=True, help="all that are held")
@jobs_argument
def command(words: tuple[str, ...], batches: tuple[str, ...], project: str | None, every: bool) -> None:
    """Let jobs start whose commands came with somebody else's commits.

    `wtwatch show JOB` shows what one would run, `wtwatch queue list --state held` all of them.
    """
    chosen = one(project)
    queue = Queue(chosen.state)
    if every and (words or batches):
        raise UsageError("--all means all that are held.", "Leave out --all, or the jobs.")
    kind = Kind(lambda job: isinstance(job.state, Held), "None of these jobs needs approval.")
    meant = [job.id for job in queue.held()] if every else jobs_meant(queue, words, batches, kind)
    if not meant:
        raise UsageError("No job needs approval.", "`wtwatch queue list` shows how they stand.")
    made = queue.approve(meant)
    ring_for(chosen)
    say(f"Approved {counted(len(made), 'job')}, now batch {made[0].batch}: next in line.")
    warn_of_daemon(chosen)
