"""``wtwatch queue pause``: start no more."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option, ring_for
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.views.terminal import say


@click.command("pause")
@project_option
def command(project: str | None) -> None:
    """Start no further job; what runs goes on, and a batch under way keeps its code."""
    chosen = one(project)
    Queue(chosen.state).pause()
    ring_for(chosen)
    say("Paused. `wtwatch queue resume` goes on.")
