"""``wtwatch queue retry``: run again what ended."""

from __future__ import annotations

import click

from wtwatch.commands.front import ring_for, warn_of_daemon
from wtwatch.commands.ordering import check_host
from wtwatch.commands.queue.choosing import Kind, ended_of, jobs_argument, jobs_meant
from wtwatch.commands.wishes import wish_options
from wtwatch.lanes import notes
from wtwatch.project.registry import one
from wtwatch.queue import kinds
from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import JobId
from wtwatch.views.jobwords import is_bad
from wtwatch.views.terminal import say
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Ended, Job, counted
from wtwatch.words.resources import Resources


@click.command("retry")
@click.option("--failed", is_flag=True, help="what failed or was interrupted, and was not acknowledged")
@click.option("--resume", is_flag=True, help="each finds what it left of its outputs, and goes on from there")
@wish_options
@jobs_argument
def command(
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
        ended = Kind(lambda job: isinstance(job.state, Ended), "None of these jobs has ended.")
        kind = Kind(is_bad, "None of these jobs failed.") if failed else ended
        meant = jobs_meant(queue, words, batches, kind)
    notes.check_cleared(chosen, ended_of(queue, meant))
    made = queue.retry(meant, how["resume"], want)
    queue.acknowledge([job.id for job in older])
    ring_for(chosen)
    if made:
        say(f"{counted(len(made), 'job')} again, in batch {made[0].batch}.")
    for job in older:
        say(f"Job {job.id} is not run again: the same ran later. Its failure counts as seen.")
    if made:
        warn_of_daemon(chosen)
