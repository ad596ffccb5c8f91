"""``wtwatch init``: make or adopt a run tree, and watch it."""

from __future__ import annotations

from pathlib import Path

import click

from wtwatch import reconcile
from wtwatch.commands.front import ring_for
from wtwatch.project.config import Project
from wtwatch.project.registry import here, known
from wtwatch.setup import checks, githooks, init, moved
from wtwatch.setup.finding import demand
from wtwatch.setup.intent import Asked
from wtwatch.views import status
from wtwatch.views.terminal import say, warn
from wtwatch.words.errors import WtwatchError
from wtwatch.words.quoting import quoted


@click.command("init")
@click.option(
    "--run-tree", type=click.Path(path_type=Path), help="where (default: beside the outermost dataset)"
)
@click.option("--bookmark", help="the bookmark that the run tree follows (default: runs)")
@click.option("--code", help="the subdataset that the code is in (default: code)")
@click.option(
    "--env", metavar="auto|none|COMMAND", help="what sets code/.venv up (default: auto, which uses uv)"
)
@click.option("--name", help="the project's name (default: the superdataset's)")
@click.option(
    "--no-hooks", is_flag=True, help="install no git hooks; the daemon notices moves without them too"
)
def command(no_hooks: bool, **asked: Path | str | None) -> None:
    """Make a run tree for the superdataset you stand in, or adopt the one that is there."""
    demand(checks.tools())
    with init.alone():
        wish = Asked(**asked)  # type: ignore[arg-type]
        for move in moved.find(here(), wish):
            moved.take_up(move)
            say(f"{move.new.name} was moved: all paths that named its old place are written anew.")
        making = init.decide(here(), wish, known().projects)
        init.carry_out(making)
    _tell(making)
    if not no_hooks:
        _install_hooks(making.project)
    _first_sync(making.project)


def _tell(making: init.Making) -> None:
    project, layout = making.project, making.layout
    made, there = len(layout.missing), len(layout.present)
    if made and not there:
        say(f"Made the run tree {project.run_tree}: {made} worktrees.")
    elif made:
        say(f"Adopted the run tree {project.run_tree}: {there} worktrees were there, {made} were missing.")
    elif making.known:
        say(f"{project.name} was set up already; all {there} worktrees of {project.run_tree} are there.")
    else:
        say(f"Adopted the run tree {project.run_tree}: all {there} worktrees are there.")
    if making.new_bookmark:
        say(f"Made the bookmark {project.bookmark} at {making.tip[:10]}.")
    for path in layout.empty:
        get = f"datalad get -n -d {quoted(project.main_tree)} {quoted(project.main_tree / path)}"
        say(f"  {path} stays empty, as in the main tree ({get}).")


def _install_hooks(project: Project) -> None:
    for hook in githooks.install(project.main_code):
        if hook.advice and hook.state is not githooks.Fitting.INSTALLED:
            say(hook.advice)


def _first_sync(project: Project) -> None:
    try:
        done = reconcile.tick(project, reconcile.TickOptions(patience=reconcile.PATIENCE))
    except WtwatchError as error:
        hint = error.hint or "Mend that, then: wtwatch sync"
        raise WtwatchError(f"{project.name} is set up, but not in step yet: {error.message}", hint) from error
    ring_for(project)
    if done.backup:
        warn(f"Kept {done.backup.summary}: wtwatch backups show {done.backup.id}")
    if done.waits:
        raise WtwatchError(f"{project.name} is set up, but waits: {done.waits}", done.hint)
    say(f"{project.name} follows the bookmark {project.bookmark}.")
    watched = "" if status.daemon().running else "wtwatch service install (or wtwatch watch), "
    say(f"Next: {watched}wtwatch status.")
