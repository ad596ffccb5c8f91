"""``wtwatch init``: make or adopt a run tree, and watch it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from wtwatch import reconcile
from wtwatch.commands.front import ring_for
from wtwatch.commands.service import tell_of
from wtwatch.project.config import Project
from wtwatch.project.jobenv import withheld
from wtwatch.project.registry import here, known
from wtwatch.queue import inherited
from wtwatch.queue.jobs import Queue
from wtwatch.setup import checks, githooks, init, moved, pathlayout, service
from wtwatch.setup.finding import demand
from wtwatch.setup.intent import Asked
from wtwatch.tree import carried
from wtwatch.views import founding, status
from wtwatch.views.terminal import say, say_folded, warn, width
from wtwatch.words.errors import WtwatchError
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
@click.option(
    "--carry",
    multiple=True,
    metavar="PATTERN",
    help="files that git ignores and code needs, such as .env: copied to the run tree with each move",
)
@click.option("--name", help="the project's name (default: the superdataset's)")
@click.option(
    "--no-hooks", is_flag=True, help="install no git hooks; the daemon notices moves without them too"
)
def command(
    no_hooks: bool, code: tuple[str, ...], carry: tuple[str, ...], **asked: Path | str | None
) -> None:
    """Make a run tree for the superdataset you stand in, or adopt the one that is there."""
    demand(checks.tools())
    with init.alone():
        wish = Asked(code=code or None, carry=carry or None, **asked)  # type: ignore[arg-type]
        for move in moved.find(here(), wish):
            inherited.keep(move.new, Queue(move.new.state), status.daemon().pid)
            moved.take_up(move)
            say(f"{move.new.name} was moved: all paths that named its old place are written anew.")
        making = init.decide(here(), wish, known().projects)
        if making.known:
            inherited.keep(making.project, Queue(making.project.state), status.daemon().pid)
        init.carry_out(making)
    hooks = None if no_hooks else githooks.install(making.project.main_code)
    for line in founding.lines(founding.look(making, hooks), width()):
        say(line)
    if making.project.paths and not making.known:
        for line in _code_found(making.project):
            say(line)
    if not making.known:
        _tell_of_variables()
    _tell_of_ignored(making.project)
    for words in founding.advice(hooks or ()):
        say_folded(words)
    _first_sync(making.project)
    _offer_service()


def _tell_of_variables() -> None:
    """Say which variables of this shell jobs do not get, and how they would."""
    names = withheld(os.environ)
    if names:
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        say_folded(
            f"Jobs do not get what this shell has in {', '.join(names[:FEW])}{more}. To have it in their "
            f'records too: wtwatch config env.{names[0]} "${names[0]}"'
        )


def _tell_of_ignored(project: Project) -> None:
    """Say what git ignores in the main tree's code, so that jobs have it only if it is carried along."""
    found = [path for path in carried.candidates(project) if path.rstrip("/") not in project.carry]
    if found:
        more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
        say_folded(f"Git ignores {', '.join(found[:FEW])}{more}, so jobs do not have it. If they need it:")
        words = " ".join(f"--carry {quoted(path.rstrip('/'))}" for path in found[:FEW])
        say(f"  wtwatch init {words}")


def _code_found(project: Project) -> Iterator[str]:
    """Yield what one ought to know of code that is paths of the superdataset."""
    yield "Release code with `wtwatch release`; results come home with `wtwatch merge`."
    if len(project.paths) > 1:
        chosen = " ".join(f"--code {quoted(path)}" for path in project.paths)
        yield f"  For others: wtwatch forget, then wtwatch init {chosen}"
    yield from pathlayout.remarks(project)


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


def _offer_service() -> None:
    """Offer the service where somebody can say yes and it can run; and say what is next."""
    if not status.daemon().running and _wants_service():
        tell_of(service.install())
    watched = "" if status.daemon().running else "wtwatch service install (or wtwatch watch), "
    say(f"Next: {watched}wtwatch status.")


def _wants_service() -> bool:
    """Ask whether the service is wanted, if somebody sits at a terminal; silence is a no."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty() and service.can_run()):
        return False
    return click.confirm("Run the daemon as a service of yours, from now on and at each login?")
