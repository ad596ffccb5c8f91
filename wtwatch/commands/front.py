"""What the commands share: words out, and which projects are meant."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from wtwatch import config, status
from wtwatch.config import Project
from wtwatch.errors import UsageError, WtwatchError
from wtwatch.files import bell_in, ring
from wtwatch.repo import Repo

project_option = click.option(
    "--project", metavar="NAME", help="the project that is meant (default: where you are)"
)


def say(text: str = "") -> None:
    """Print for people, with colour only on a terminal and without NO_COLOR."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def on_terminal() -> bool:
    """Return whether colour and other comfort are wanted on stdout."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def here() -> Path:
    """Return the folder that the user stands in; raises :class:`UsageError` if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError("The folder you stand in is gone.", "cd somewhere else.") from error


def everything() -> list[Project]:
    """Return all registered projects."""
    return [status.load(state) for state in config.registered().values()]


def by_name(name: str) -> Project:
    """Return the registered project of that name; raises :class:`UsageError`."""
    known = config.registered()
    if name not in known:
        listed = ", ".join(known) or "none yet: `wtwatch init` in a main tree makes the first"
        raise UsageError(f"There is no project {name!r}.", f"Registered are: {listed}.")
    return status.load(known[name])


def meant(name: str | None) -> list[Project]:
    """Return the projects that ``status`` and ``sync`` mean: named, else those of this place, else all."""
    if name is not None:
        return [by_name(name)]
    present = [
        project for project in (_load_if_sound(state) for state in config.registered().values()) if project
    ]
    local = config.projects_at(here(), present)
    return local or everything()


def one(name: str | None) -> Project:
    """Return the one project that a command means; raises :class:`UsageError` if that is not clear."""
    if name is not None:
        return by_name(name)
    local = config.projects_at(here(), everything())
    if len(local) == 1:
        return local[0]
    if local:
        names = ", ".join(project.name for project in local)
        raise UsageError("Several projects share this main tree.", f"Say which with --project: {names}.")
    raise UsageError(
        f"{here()} lies in no main or run tree that wtwatch knows.",
        "Go there, or give --project NAME; `wtwatch init` in a main tree makes a project.",
    )


def ring_for(project: Project) -> None:
    """Tell the daemon to look, if one watches."""
    ring(bell_in(Repo(project.main_code).common_dir()))


def _load_if_sound(state: Path) -> Project | None:
    try:
        return status.load(state)
    except WtwatchError:
        return None
