"""``wtwatch status``: where things stand, on one screen."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_argument
from wtwatch.views import text
from wtwatch.views.redrawn import redraw
from wtwatch.words.errors import UsageError


@click.command("status")
@project_argument
@click.option("--json", "as_json", is_flag=True, help="one JSON document, version 1")
@click.option("--short", is_flag=True, help="a word or two for a prompt")
@click.option("--live", is_flag=True, help="drawn anew each second, until Ctrl-C")
def command(project: str | None, as_json: bool, short: bool, live: bool) -> int:
    """Say where things stand. Exit code 1 if something needs you."""
    if live:
        if as_json or short:
            raise UsageError("--live shows the whole screen.", "Leave --json and --short away.")
        redraw(lambda: text.drawn(project))
    return text.show(project, as_json, short)
