"""What the commands share: how they take the name of a project, and how they reach the daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wtwatch.commands import completing
from wtwatch.doors.files import bell_in, ring
from wtwatch.doors.repo import Repo
from wtwatch.project import owner
from wtwatch.project.config import Project, host
from wtwatch.views import watch
from wtwatch.views.attention import is_silent
from wtwatch.views.terminal import warn

project_option = click.option(
    "--project",
    metavar="NAME",
    envvar="WTWATCH_PROJECT",
    shell_complete=completing.projects,
    help="the project that is meant (default: $WTWATCH_PROJECT, else where you are)",
)


def project_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument PROJECT; `--project NAME` is understood too, as all others have that."""

    def keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        ctx.meta[__name__] = value

    def either(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        named: str | None = ctx.meta.get(__name__)
        return value or named

    option = click.option("--project", "named", hidden=True, is_eager=True, expose_value=False, callback=keep)
    argument = click.argument("project", required=False, callback=either, shell_complete=completing.projects)
    decorated: Callable[..., Any] = option(argument(function))
    return decorated


def ring_for(project: Project) -> None:
    """Tell the daemon to look, if one watches."""
    ring(bell_in(Repo(project.main_code).common_dir()))


def warn_of_daemon(project: Project, what: str = "nothing starts") -> None:
    """Say on stderr that what was asked for does not happen, where no daemon of this host does it."""
    daemon = watch.daemon()
    if project.host not in ("", host()):
        warn(f"The daemon of the host {project.host} does that, not one of this host.")
    elif not daemon.running and (seen := owner.other(project)) and not seen.is_free():
        warn(f"{project.name} {owner.said(seen)}, which does that.")
    elif not daemon.running:
        warn(f"No daemon runs, so {what}: wtwatch service install, or wtwatch watch.")
    elif is_silent(daemon):
        warn(f"The daemon (pid {daemon.pid}) stands still, so {what}: `wtwatch status` says why.")
