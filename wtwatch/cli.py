"""Words in, words and exit codes out. Each command is a file in ``commands/``, imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from wtwatch import __version__
from wtwatch.errors import WtwatchError

COMMANDS = {
    "init": "make or adopt a run tree, and watch it",
    "watch": "the daemon, in the foreground",
    "status": "say where things stand",
    "sync": "bring the run tree to the bookmark now",
    "release": "move the bookmark, so that the run tree follows",
    "queue": "queue jobs, and look after them",
    "exec": "run a command by hand in the run tree",
    "merge": "bring results into the main tree",
    "backups": "what a sync took out of the way",
    "ack": "say that failed jobs and backups were seen",
    "hooks": "the git hooks that ring the bell",
    "service": "the daemon as a systemd user service",
    "demo": "the whole story on a small project",
    "forget": "stop watching a project; data stays",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name alone: ``status`` must not wait for what it does not use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the story."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"wtwatch.commands.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands for ``--help`` without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wtwatch")
def cli() -> None:
    """Keep a DataLad run tree at the bookmark: notice, sync, save, run, merge."""


def run(words: Sequence[str]) -> int:
    """Run one command line; return its exit code. Foreseen trouble is told with the way out, never traced."""
    _plain_if_not_wanted()
    try:
        result = cli.main(args=list(words), prog_name="wtwatch", standalone_mode=False)
    except WtwatchError as error:
        complain(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # `wtwatch … | head`
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - python flushes it at exit
        return 0
    except Exception:
        import traceback

        click.echo("wtwatch itself failed. Please report this, with what you did:", err=True)
        click.echo(f"  wtwatch {__version__}, Python {sys.version.split()[0]}", err=True)
        click.echo(traceback.format_exc(), err=True)
        return 3
    return result if isinstance(result, int) else 0


def complain(error: WtwatchError) -> None:
    """Print an error and the way out on stderr."""
    click.echo(click.style("Error: ", fg="red", bold=True) + error.message, err=True)
    if error.hint:
        click.echo(click.style("Hint: ", fg="cyan", bold=True) + error.hint, err=True)


def _plain_if_not_wanted() -> None:
    # click colours a terminal; https://no-color.org asks not to
    if os.environ.get("NO_COLOR"):
        os.environ["CLICOLOR"] = "0"
