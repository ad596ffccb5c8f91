"""``wtwatch backups``: what a sync took out of the way."""

from __future__ import annotations

from pathlib import Path

import click

from wtwatch.commands.front import project_option
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import backups
from wtwatch.views.terminal import say
from wtwatch.words.model import counted
from wtwatch.words.quoting import quoted


@click.group("backups")
def command() -> None:
    """List, show and restore what a sync took out of the run tree's code."""


@command.command("list")
@project_option
def show_list(project: str | None) -> None:
    """List backups, oldest first; a star marks those that were not acknowledged."""
    chosen = one(project)
    found = backups.listing(RunTree.of(chosen))
    seen = Queue(chosen.state).acknowledged_backups()
    for backup in found:
        say(f"{' ' if backup.id in seen else '*'} {backup.id}  {backup.commit[:10]}  {backup.summary}")
    if not found:
        say("No backups.")


@command.command("show")
@click.argument("name", metavar="ID")
@project_option
def show(name: str, project: str | None) -> None:
    """Show what a backup holds, as a patch against the commit it was taken from."""
    chosen = one(project)
    tree = RunTree.of(chosen)
    say(backups.show(tree, backups.find(tree, name)))


@command.command("restore")
@click.argument("name", metavar="ID")
@click.option("--to", type=click.Path(path_type=Path), help="a new folder (default: beside the run tree)")
@project_option
def restore(name: str, to: Path | None, project: str | None) -> None:
    """Write a backup's files into a folder of their own."""
    chosen = one(project)
    tree = RunTree.of(chosen)
    backup = backups.find(tree, name)
    target = to or chosen.run_tree.parent / f"{chosen.run_tree.name}-backup-{backup.id}"
    files = backups.restore(tree, backup, target)
    say(f"Wrote {counted(len(files), 'file')} into {target}.")
    pick = f"git -C {quoted(chosen.main_code)} cherry-pick -n -m 1 {backup.commit[:12]}"
    say(f"As changes to your code instead: {pick}")
