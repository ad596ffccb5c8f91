"""``wtwatch forget``: stop watching; data stays."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_argument, ring_for
from wtwatch.doors.files import held
from wtwatch.lanes import making, notes
from wtwatch.project import listing, owner
from wtwatch.project.config import Project
from wtwatch.project.registry import by_name, known, one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import init
from wtwatch.views.terminal import say
from wtwatch.words.errors import WtwatchError

PATIENCE = 30.0
"""Seconds that a lane which is being made just now is waited for, until that has ended."""


@click.command("forget")
@project_argument
def command(project: str | None) -> None:
    """Stop watching a project: removes hooks, lanes and registration, never data, refs or run trees."""
    name = project or one(None).name
    try:
        chosen = by_name(name)
    except WtwatchError:
        if name not in listing.registered():
            raise
        listing.unregister(name)  # its superdataset is gone: the entry is all that is left
        say(f"{name} is off the list; what is left of its trees was not touched.")
        return
    _check_at_rest(chosen)
    ring_for(chosen)
    with owner.acting(chosen, f"forget {name}"), held(RunTree.of(chosen).lock, wait=1.0):
        for lane in notes.known(chosen):
            making.remove(lane, wait=PATIENCE)
        init.take_apart(chosen, [other for other in known().projects if other.name != name])
    owner.clear(chosen)
    say(f"{name} is no longer watched. Its run tree {chosen.run_tree}, backups and queue are as they were.")


def _check_at_rest(project: Project) -> None:
    """Raise :class:`WtwatchError` while jobs run, in the run tree or in lanes."""
    living = [str(job.id) for job in Queue(project.state).living()]
    if len(living) == 1:
        raise WtwatchError(
            f"Job {living[0]} of {project.name} is running.", f"wtwatch queue cancel {living[0]}, or wait."
        )
    if living:
        raise WtwatchError(
            f"Jobs {', '.join(living)} of {project.name} are running.",
            f"wtwatch queue cancel {' '.join(living)}, or wait.",
        )
