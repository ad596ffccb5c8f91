"""``wtwatch watch``: the daemon, in the foreground."""

import click

from wtwatch.daemon import loop


@click.command("watch")
def command() -> None:
    """Watch all registered projects until SIGTERM or Ctrl-C. This is what the service runs."""
    loop.watch()
