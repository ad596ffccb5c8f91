"""``wtwatch service``: the daemon as a systemd user service."""

from __future__ import annotations

import click

from wtwatch.setup import service
from wtwatch.views.terminal import say, say_folded


@click.group("service")
def command() -> None:
    """Run the daemon as a systemd user service."""


@command.command("install")
def install() -> None:
    """Write the unit with today's PATH, start it now and at each login."""
    tell_of(service.install())


def tell_of(done: service.Installed) -> None:
    """Say what an installation did."""
    say(f"The service runs. Unit: {done.unit}")
    if done.replaced:
        say(f"Its daemon was started anew: it was of another version ({done.replaced}).")
    if done.lingers is False:
        say("It ends with your last login; to keep it: loginctl enable-linger")


@command.command("restart")
def restart() -> None:
    """Start the daemon anew; jobs that run go on."""
    service.restart()
    say("The service runs, with a daemon that was started anew.")


@command.command("uninstall")
def uninstall() -> None:
    """Stop the service and remove its unit; jobs that run go on."""
    say("The service is gone." if service.uninstall() else "There was no service.")


@command.command("status")
def show() -> int:
    """Say how the service stands; exit code 1 if it is installed but not active."""
    now = service.state()
    say_folded(f"{now.detail}  ({now.unit})")
    return 1 if now.installed and not now.active else 0
