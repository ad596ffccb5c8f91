"""``wtwatch config``: every setting of a project, and how one is changed."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from wtwatch.commands.front import project_option, ring_for
from wtwatch.project import settings
from wtwatch.project.config import CHOICES
from wtwatch.project.registry import one
from wtwatch.views.settings import screen
from wtwatch.views.terminal import say, width


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
        changed = settings.change(chosen, key, value)
        ring_for(changed)
        say(f"{key} = {settings.value_of(changed, key)}")
