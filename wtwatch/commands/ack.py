"""``wtwatch ack``: failed jobs and backups were seen."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import backups
from wtwatch.views.terminal import say
from wtwatch.words.errors import UsageError


@click.command("ack")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--all", "everything", is_flag=True, help="all that ended, and all backups")
@project_option
def command(jobs: tuple[str, ...], everything: bool, project: str | None) -> None:
    """Say that you saw how jobs ended, so that `status` asks no more for attention."""
    if not jobs and not everything:
        raise UsageError("Which jobs?", "wtwatch ack JOB…, or wtwatch ack --all for all jobs and backups.")
    chosen = one(project)
    queue = Queue(chosen.state)
    queue.acknowledge(None if everything else list(jobs))
    if everything:
        queue.accept_loss()
        queue.acknowledge_backups(backup.id for backup in backups.listing(RunTree.of(chosen)))
    say("Noted.")
