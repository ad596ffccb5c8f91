"""``wtwatch ack``: failed jobs and backups were seen."""

from __future__ import annotations

import re

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option, ring_for
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue import inherited
from wtwatch.queue.jobs import Queue
from wtwatch.queue.wanted import wanted
from wtwatch.tree import backups
from wtwatch.views.terminal import say
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Ended

_BACKUP = re.compile(r"\d{8}T\d*Z?(-[0-9a-f]*)?", re.ASCII)
"""What the id of a backup begins with: no number of a job looks like that."""


@click.command("ack")
@click.argument("words", nargs=-1, metavar="[JOB|BACKUP]...", shell_complete=completing.jobs_and_backups)
@completing.batch_option("the jobs of a batch that ended")
@click.option("--all", "everything", is_flag=True, help="all that ended, and all backups")
@project_option
def command(words: tuple[str, ...], batches: tuple[str, ...], everything: bool, project: str | None) -> None:
    """Say that you saw how jobs ended, or backups, so that `status` asks no more for attention."""
    if not words and not batches and not everything:
        raise UsageError(
            "Which jobs? Or backups?", "wtwatch ack JOB…, wtwatch ack BACKUP…, or wtwatch ack --all for both."
        )
    chosen = one(project)
    tree, queue = RunTree.of(chosen), Queue(chosen.state)
    if everything:
        queue.acknowledge(None)
        queue.accept_loss()
        inherited.accept(chosen, queue)
        queue.acknowledge_backups(backups.names(tree))
    else:
        kept = [word for word in words if _BACKUP.fullmatch(word)]
        known = backups.names(tree) if kept else {}
        seen = [backups.fitting(tree, word, known) for word in kept]
        queue.acknowledge(_ended(queue, [word for word in words if word not in kept], batches))
        queue.acknowledge_backups(seen)
    ring_for(chosen)
    say("Noted.")


def _ended(queue: Queue, words: list[str], batches: tuple[str, ...]) -> list[int | str]:
    """Return the jobs that are meant: those named by their number, and of ranges and batches the ended."""
    alone = [word for word in words if word.isdigit()]
    many = wanted(queue.file, [word for word in words if word not in alone], batches)
    over = {job.id for job in queue.jobs() if isinstance(job.state, Ended)} if many else set()
    return [*wanted(queue.file, alone), *(job for job in many if job in over)]
