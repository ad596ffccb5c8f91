"""``wtwatch backups``: what a sync took out of the way, and environments that were set aside."""

from __future__ import annotations

from pathlib import Path

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.project.config import Project
from wtwatch.project.registry import known, one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import aside, backups, restoring
from wtwatch.tree.aside import SetAside
from wtwatch.views import backuplist
from wtwatch.views.backuplist import Line
from wtwatch.views.terminal import say, width
from wtwatch.words.model import Backup, counted, now, sized
from wtwatch.words.quoting import quoted


@click.group("backups")
def command() -> None:
    """List, show, restore and drop what a sync took out of the run tree's code."""


@command.command("list")
@project_option
def show_list(project: str | None) -> None:
    """List backups and environments that were set aside, oldest first, with age, size and files."""
    for line in backuplist.lines(_lines(one(project)), now(), width()):
        say(line)


def _lines(project: Project) -> list[Line]:
    tree, seen = RunTree.of(project), Queue(project.state).acknowledged_backups()
    found = [
        Line(backup.id, backup.made, len(held.paths), held.size, backup.summary, backup.id not in seen)
        for backup, held in backups.weighed(tree)
    ]
    for old in aside.environments(tree):
        found.append(Line(old.id, old.made, *aside.weight(old.path), f"an environment, in {old.path}"))
    return sorted(found, key=lambda line: line.made)


@command.command("show")
@click.argument("name", metavar="ID", shell_complete=completing.backups)
@project_option
def show(name: str, project: str | None) -> None:
    """Show what a backup holds, as a patch against the commit it was taken from."""
    chosen = one(project)
    tree = RunTree.of(chosen)
    say(backups.show(tree, backups.find(tree, name)))


@command.command("restore")
@click.argument("name", metavar="ID", shell_complete=completing.backups)
@click.option("--to", type=click.Path(path_type=Path), help="a new folder (default: beside the run tree)")
@project_option
def restore(name: str, to: Path | None, project: str | None) -> None:
    """Write a backup's files into a folder of their own."""
    chosen = one(project)
    tree = RunTree.of(chosen)
    backup = backups.find(tree, name)
    target = to or chosen.run_tree.parent / f"{chosen.run_tree.name}-backup-{backup.id}"
    restoring.check_place(target, [chosen.run_tree, *(other.run_tree for other in known().projects)])
    files = restoring.restore(tree, backup, target)
    say(f"Wrote {counted(len(files), 'file')} into {target}.")
    pick = f"git -C {quoted(chosen.main_code)} cherry-pick -n -m 1 {backup.commit[:12]}"
    say(f"As changes to your code instead:\n  {pick}")


@command.command("drop")
@click.argument("names", nargs=-1, required=True, metavar="ID...", shell_complete=completing.droppable)
@project_option
def drop(names: tuple[str, ...], project: str | None) -> None:
    """Give up backups, or environments that were set aside: all that are named, or none of them."""
    chosen = one(project)
    tree = RunTree.of(chosen)
    kept, old = _meant(tree, names)
    for environment in old:
        aside.check_drop(tree, environment)
    folders = {backup.id: backups.aside_of(tree, backup) for backup in kept}
    backups.drop(tree, kept)
    Queue(chosen.state).forget_backups(backup.id for backup in kept)
    for backup in kept:
        say(f"Dropped {backup.id} ({backup.summary}).")
        say(f"  Until git's next gc its commit is still there: {_still(chosen, backup)}")
        folder = folders[backup.id]
        if folder is not None and folder.is_dir():
            _remove(folder)
    for environment in old:
        say(f"Dropped {environment.id}, an environment.")
        _remove(environment.path)


def _meant(tree: RunTree, names: tuple[str, ...]) -> tuple[list[Backup], list[SetAside]]:
    """Return what ids mean, each once; raises :class:`UsageError` for one that means nothing, or several."""
    environments = {old.id: old for old in aside.environments(tree)}
    ids = [*backups.names(tree), *environments]
    wanted = list(dict.fromkeys(backups.fitting(tree, name, ids) for name in names))
    old = [environments[name] for name in wanted if name in environments]
    return [backups.find(tree, name) for name in wanted if name not in environments], old


def _still(project: Project, backup: Backup) -> str:
    return f"git -C {quoted(project.main_code)} show {backup.commit[:12]}"


def _remove(folder: Path) -> None:
    files, size = aside.weight(folder)
    aside.remove(folder)
    say(f"  Gone for good: {counted(files, 'file')}, {sized(size)}, in {folder}")
