"""``wtwatch forget``: stop watching; data stays."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_argument, ring_for
from wtwatch.doors.files import held
from wtwatch.project import listing
from wtwatch.project.registry import by_name, known, one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import init
from wtwatch.views.terminal import say
from wtwatch.words.errors import WtwatchError


@click.command("forget")
@project_argument
def command(project: str | None) -> None:
    """Stop watching a project: removes its hooks and registration, never data, refs or trees."""
    name = project or one(None).name
    try:
        chosen = by_name(name)
    except WtwatchError:
        if name not in listing.registered():
            raise
        listing.unregister(name)  # its superdataset is gone: the entry is all that is left
        say(f"{name} is off the list; what is left of its trees was not touched.")
        return
    running = Queue(chosen.state).running()
    if running is not None:
        raise WtwatchError(
            f"Job {running.id} of {name} is running.", f"wtwatch queue cancel {running.id}, or wait."
        )
    ring_for(chosen)
    with held(RunTree.of(chosen).lock, wait=1.0):
        init.take_apart(chosen, [other for other in known().projects if other.name != name])
    say(f"{name} is no longer watched. Its run tree {chosen.run_tree}, backups and queue are as they were.")
