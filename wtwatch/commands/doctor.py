"""``wtwatch doctor``: check everything that wtwatch relies on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from wtwatch.commands.front import project_argument
from wtwatch.daemon import probe
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.project import registry
from wtwatch.project.config import Project
from wtwatch.setup import health, programs, service
from wtwatch.setup.finding import Finding, tried
from wtwatch.views import health as screen
from wtwatch.views import status
from wtwatch.views.terminal import say, width
from wtwatch.words.errors import WtwatchError

_LIMITS = Path("/proc/sys/fs/inotify")


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
        "Daemon": [*_daemon(bool(found.projects))],
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


def _daemon(needed: bool) -> Iterator[Finding]:
    yield from screen.of_daemon(status.daemon(), needed)
    state = service.state()
    if state.installed:
        good = state.active
        way = None if good else "wtwatch service install"
        yield Finding("service", good, state.detail, way)
    else:
        yield Finding(
            "service", True, "not installed: the daemon runs while you start it", "wtwatch service install"
        )
    limits = {name: _limit(name) for name in ("max_user_instances", "max_user_watches")}
    small = [name for name, number in limits.items() if number is not None and number < 128]
    if small:
        fix = "; ".join(f"sudo sysctl fs.inotify.{name}=8192" for name in small)
        yield Finding("inotify", False, f"The limit {', '.join(small)} is small.", fix)
    elif all(limits.values()):
        yield Finding("inotify", True, ", ".join(f"{name} {number:,}" for name, number in limits.items()))


def _limit(name: str) -> int | None:
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):  # not Linux
        return None


def _project(project: Project) -> Iterator[Finding]:
    yield from health.findings(project)
    try:
        folder = bell_in(Repo(project.main_code).common_dir()).parent
    except WtwatchError:  # which is said already
        return
    if folder.is_dir():
        yield tried("events", lambda: _check_events(folder), "arrive, tried just now")


def _check_events(folder: Path) -> None:
    if not probe.hears(folder):
        raise WtwatchError(
            f"No event arrived of a change in {folder}, so moves are found by looking every second or later.",
            "On a network file system that is so; else raise fs.inotify.max_user_watches (sysctl).",
        )
