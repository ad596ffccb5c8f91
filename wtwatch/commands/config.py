"""``wtwatch config``: every setting of a project, and how one is changed."""

from __future__ import annotations

from contextlib import suppress

import click
from click.shell_completion import CompletionItem

from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.lanes import notes
from wtwatch.project import owner, settings
from wtwatch.project.config import CHOICES, Project
from wtwatch.project.registry import one
from wtwatch.queue import candidates, inherited
from wtwatch.queue.jobs import Queue
from wtwatch.tree import weight
from wtwatch.views import abreast
from wtwatch.views.settings import screen
from wtwatch.views.terminal import say, say_folded, width
from wtwatch.views.watch import daemon
from wtwatch.words.errors import WtwatchError


def _keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(key) for key in settings.CHANGEABLE if key.startswith(incomplete)]


def _values(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    choices = CHOICES.get(ctx.params.get("key") or "", ())
    return [CompletionItem(value) for value in (*choices, "default") if value.startswith(incomplete)]


@click.command("config")
@click.argument("key", required=False, shell_complete=_keys)
@click.argument("value", required=False, shell_complete=_values)
@project_option
def command(key: str | None, value: str | None, project: str | None) -> None:
    """Show every setting with its value, its default and what it does; KEY alone; or set KEY to VALUE.

    VALUE is written as it is meant: 20, ask; several texts are separated by commas: .venv,.env. Variables of
    jobs and limits have names: env.FSLDIR, limits.nice. The default comes back with VALUE "default".
    """
    chosen = one(project)
    if key is None:
        say("\n".join(screen(chosen, width())))
    elif value is None:
        say(settings.value_of(chosen, key))
    else:
        inherited.keep(chosen, Queue(chosen.state), daemon().pid)
        changed = settings.change(chosen, key, value)
        if not owner.is_needed(changed):
            owner.clear(changed)
        say(f"{key} = {settings.value_of(changed, key)}")
        if key in ("lanes", "executor.kind"):
            _tell_of_lanes(changed)
        ring_for(changed)


def _tell_of_lanes(project: Project) -> None:
    """Say what lanes cost, before they are made, and what becomes of those that are there."""
    if project.lanes > 1:
        with suppress(WtwatchError):  # the run tree is not there just now
            have = candidates.shared(project)
            for text in abreast.lanes_words(project.lanes, weight.of(project.run_tree), have):
                say_folded(text)
        for text in abreast.lanes_kept(project):
            say_folded(text)
    going = [*abreast.going(notes.known(project), project.in_lanes)]
    for text in going:
        say_folded(text)
    if going:
        warn_of_daemon(project, "they stay for now")
