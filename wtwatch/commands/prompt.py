"""``wtwatch prompt``: the short line of `status` in a shell's prompt."""

from __future__ import annotations

import click

from wtwatch.views.prompt import SHELLS, function
from wtwatch.views.terminal import say


@click.command("prompt")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the function wtwatch_prompt for a SHELL: what `status --short` says, within a millisecond.

    It reads what the daemon keeps; where that does not run, or stands still, it shows a question mark.
    """
    say(function(shell))
