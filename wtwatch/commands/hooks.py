"""``wtwatch hooks``: the git hooks that ring the bell."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option
from wtwatch.project.registry import one
from wtwatch.setup import githooks
from wtwatch.views.terminal import say, say_folded


@click.group("hooks")
def command() -> None:
    """Manage the git hooks in code that ring the bell; moves are noticed without them too."""


@command.command("install")
@click.option("--jj-alias", metavar="NAME", help="have `jj NAME` ring too, by an alias of this repository")
@project_option
def install(project: str | None, jj_alias: str | None) -> None:
    """Put the hooks in, beside those that are there."""
    tell(githooks.install(one(project).main_code, jj_alias))


@command.command("uninstall")
@project_option
def uninstall(project: str | None) -> None:
    """Take out what `install` put in, to the byte."""
    tell(githooks.uninstall(one(project).main_code), out=True)


@command.command("status")
@project_option
def show(project: str | None) -> None:
    """Say how each hook stands."""
    tell(githooks.state(one(project).main_code))


def tell(hooks: list[githooks.HookState], out: bool = False) -> None:
    """Print how hooks stand, and what is to be done by hand; nothing of those that were to be ``out``."""
    for hook in hooks:
        say(f"{hook.name:14} {hook.state.value}")
    to_see_to = (hook for hook in hooks if not (out and hook.state is githooks.Fitting.ABSENT))
    for advice in dict.fromkeys(hook.advice for hook in to_see_to if hook.advice):
        say_folded(advice)
