"""``wtwatch forget``: stop watching; data stays."""

from __future__ import annotations

import click

from wtwatch import config, githooks
from wtwatch.commands.front import by_name, everything, here, one, ring_for, say
from wtwatch.errors import UsageError, WtwatchError
from wtwatch.files import held
from wtwatch.jobs import Queue


@click.command("forget")
@click.argument("project", required=False)
def command(project: str | None) -> None:
    """Stop watching a project: removes its hooks and registration, never data, refs or trees."""
    if project is not None and project in config.registered():
        _forget(project)
        return
    if project is not None:
        by_name(project)
    _forget(one(None).name)


def _forget(name: str) -> None:
    try:
        chosen = by_name(name)
    except (UsageError, WtwatchError):  # its state is gone: the entry is all that is left
        config.unregister(name)
        say(f"{name} is off the list; its state was gone already (looked from {here()}).")
        return
    running = Queue(chosen.state).running()
    if running is not None:
        raise WtwatchError(
            f"Job {running.id} of {name} is running.", f"wtwatch queue cancel {running.id}, or wait."
        )
    with held(chosen.tree_lock, wait=1.0):
        others = [project for project in everything() if project.name != name]
        if chosen.main_code.is_dir() and all(other.main_code != chosen.main_code for other in others):
            githooks.uninstall(chosen.main_code)
        config.unregister(name)
    if chosen.main_code.is_dir():
        ring_for(chosen)
    say(f"{name} is no longer watched. Its run tree {chosen.run_tree}, backups and queue are as they were.")
