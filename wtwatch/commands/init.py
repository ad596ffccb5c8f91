"""``wtwatch init``: make or adopt a run tree, and watch it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from wtwatch import reconcile
from wtwatch.commands.front import ring_for
from wtwatch.project.config import Project
from wtwatch.project.jobenv import withheld
from wtwatch.project.registry import here, known
from wtwatch.setup import checks, githooks, init, moved, pathlayout
from wtwatch.setup.finding import demand
from wtwatch.setup.intent import Asked
from wtwatch.views import status
from wtwatch.views.terminal import say, say_folded, warn
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import counted
from wtwatch.words.quoting import quoted

FEW = 5
"""Names that are shown before "and more"."""


@click.command("init")
@click.option(
    "--run-tree", type=click.Path(path_type=Path), help="where (default: beside the outermost dataset)"
)
@click.option("--bookmark", help="the bookmark that the run tree follows (default: runs)")
@click.option(
    "--code",
    multiple=True,
    help="where the code is: a subdataset, or paths of the superdataset (default: what is found)",
)
@click.option(
    "--env", metavar="auto|none|COMMAND", help="what sets code/.venv up (default: auto, which uses uv)"
)
@click.option("--name", help="the project's name (default: the superdataset's)")
@click.option(
    "--no-hooks", is_flag=True, help="install no git hooks; the daemon notices moves without them too"
)
def command(no_hooks: bool, code: tuple[str, ...], **asked: Path | str | None) -> None:
    """Make a run tree for the superdataset you stand in, or adopt the one that is there."""
    demand(checks.tools())
    with init.alone():
        wish = Asked(code=code or None, **asked)  # type: ignore[arg-type]
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
    if project.paths and not making.known:
        for line in _code_found(project):
            say(line)
    if not making.known:
        _tell_of_variables()
    if making.new_bookmark:
        say(f"Made the bookmark {project.bookmark} at {making.tip[:10]}.")
    for path in layout.empty:
        get = f"datalad get -n -d {quoted(project.main_tree)} {quoted(project.main_tree / path)}"
        say(f"  {path} stays empty, as in the main tree ({get}).")


def _tell_of_variables() -> None:
    """Say which variables of this shell jobs do not get, and how they would."""
    names = withheld(os.environ)
    if names:
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        say_folded(
            f"Jobs do not get what this shell has in {', '.join(names[:FEW])}{more}. To have it in their "
            f'records too: wtwatch config env.{names[0]} "${names[0]}"'
        )


def _code_found(project: Project) -> Iterator[str]:
    """Yield what was taken for code in the superdataset, and what one ought to know of it."""
    numbers = [(path, pathlayout.number_of_files(project.main_tree, path)) for path in project.paths]
    found = ", ".join(f"{path} ({counted(number, 'file')})" for path, number in numbers)
    yield f"Code is {found}: release it with `wtwatch release`, results come home with `wtwatch merge`."
    if len(numbers) > 1:
        chosen = " ".join(f"--code {quoted(path)}" for path, _ in numbers)
        yield f"  For others: wtwatch forget, then wtwatch init {chosen}"
    yield from pathlayout.remarks(project)


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
