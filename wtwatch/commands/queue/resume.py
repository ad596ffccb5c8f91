"""``wtwatch queue resume``: start jobs again."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.views.terminal import say


@click.command("resume")
@project_option
def command(project: str | None) -> None:
    """Start jobs again."""
    chosen = one(project)
    queue = Queue(chosen.state)
    paused = queue.paused()
    queue.resume()
    ring_for(chosen)
    say("Going on." if paused else "Nothing was paused.")
    if queue.next_job() is not None:
        warn_of_daemon(chosen)
