"""``wtwatch doctor``: check everything that wtwatch relies on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from wtwatch.commands.front import project_argument
from wtwatch.daemon import probe
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.lanes import looking
from wtwatch.project import registry
from wtwatch.project.config import Project
from wtwatch.setup import health, machine, programs
from wtwatch.setup.finding import Finding, tried
from wtwatch.views import health as screen
from wtwatch.views import status
from wtwatch.views.terminal import say, width
from wtwatch.words.errors import WtwatchError


@click.command("doctor")
@project_argument
@click.option("--json", "as_json", is_flag=True, help="one JSON document, version 1")
def command(project: str | None, as_json: bool) -> int:
    """Check all that wtwatch relies on, with the fix for each fault. Exit code 1 if there is one.

    Of the project named, else of those here, else of all.
    """
    found = registry.meant(project)
    groups = {
        "Programs": [*programs.findings(found.projects)],
        "Daemon": [*screen.of_daemon(status.daemon(), bool(found.projects)), *machine.findings()],
        **{f"Project {one.name}": [*_project(one)] for one in found.projects},
    }
    if found.broken:
        broken = ((one.name, one.error) for one in found.broken)
        groups["Projects that cannot be read"] = [
            Finding(name, False, error.message, error.hint) for name, error in broken
        ]
    if as_json:
        say(screen.document(groups))
    else:
        say("\n".join(screen.lines(groups, width() or 80)))
    return 1 if any(not one.ok for findings in groups.values() for one in findings) else 0


def _project(project: Project) -> Iterator[Finding]:
    yield from health.findings(project)
    yield from looking.findings(project)
    try:
        folder = bell_in(Repo(project.main_code).common_dir()).parent
    except WtwatchError:  # which is said already
        return
    if folder.is_dir():
        yield tried("events", lambda: _check_events(folder), "arrive, tried just now")


def _check_events(folder: Path) -> None:
    try:
        why = probe.deafness(folder)
    except OSError as error:
        raise WtwatchError(
            f"No file can be made in {folder}: {error.strerror}. So no hook can ring there.",
            "Make room there, or give the right to write.",
        ) from error
    if why is not None:
        raise WtwatchError(
            f"No event arrives of a change in {folder}: {why}. So moves are found by looking every second "
            "or later.",
            "On a network file system that is so; else raise fs.inotify.max_user_watches (sysctl).",
        )
