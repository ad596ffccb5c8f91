"""``wtwatch merge``: bring results into the main tree."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option, ring_for
from wtwatch.home import merge
from wtwatch.project.registry import one
from wtwatch.views import merging
from wtwatch.views.terminal import say, width


@click.command("merge")
@project_option
@click.option("--dry-run", is_flag=True, help="say what would come, change nothing")
@click.option(
    "--pointer", type=click.Choice(["main", "run"]), help="whose pointer of code to keep, if both moved"
)
def command(project: str | None, dry_run: bool, pointer: str | None) -> None:
    """Bring results home, whole or not at all; open edits and your code checkout are never touched."""
    if dry_run:
        merging.preview(project, pointer)
        return
    chosen = one(project)
    report = merge.bring(chosen, pointer)
    ring_for(chosen)
    for line in merging.lines(chosen, report, True, width()):
        say(line)
