"""``wtwatch status``: where things stand, on one screen."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_argument
from wtwatch.views import text


@click.command("status")
@project_argument
@click.option("--json", "as_json", is_flag=True, help="one JSON document, version 1")
@click.option("--short", is_flag=True, help="a word or two for a prompt")
def command(project: str | None, as_json: bool, short: bool) -> int:
    """Say where things stand. Exit code 1 if something needs you."""
    return text.show(project, as_json, short)
