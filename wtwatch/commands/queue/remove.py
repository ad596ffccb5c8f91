"""``wtwatch queue remove``: forget jobs."""

from __future__ import annotations

import click

from wtwatch.commands.front import ring_for
from wtwatch.commands.queue.choosing import Kind, ended_of, jobs_argument, jobs_meant
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.views.terminal import say
from wtwatch.words.model import Running, counted


@click.command("remove")
@jobs_argument
def command(words: tuple[str, ...], batches: tuple[str, ...], project: str | None) -> None:
    """Forget jobs that do not run, and their logs; results stay, and so does what failed ones left."""
    chosen = one(project)
    shelf, queue = RunTree.of(chosen).shelf, Queue(chosen.state)
    kind = Kind(lambda job: not isinstance(job.state, Running), "All of these jobs run.")
    meant = jobs_meant(queue, words, batches, kind, standing=True)
    notes.check_cleared(chosen, ended_of(queue, meant))
    kept = []
    for job in queue.remove(meant):
        for attempt in Folder.all_of(chosen.state, job):
            attempt.forget()
        kept += sorted(shelf.glob(f"jobs/{job}.*"))
    ring_for(chosen)
    say(f"Removed {meant[0]}." if len(meant) == 1 else f"Removed {counted(len(meant), 'job')}.")
    for folder in kept:
        say(f"What it left stays in {folder}")
