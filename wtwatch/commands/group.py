"""All commands as one group of click. Each is a file in ``commands/``, imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence

import click

from wtwatch import __version__
from wtwatch.commands.lazy import LazyGroup
from wtwatch.views.terminal import complain
from wtwatch.words.errors import UsageError

EVERY_DAY = {
    "init": "make or adopt a run tree, and watch it",
    "status": "say where things stand",
    "release": "move the bookmark, so that the run tree follows",
    "queue": "queue jobs, and look after them",
    "show": "what a job, a batch, a backup or a file is, and how it stands",
    "exec": "run a command by hand in the run tree",
    "merge": "bring results into the main tree",
    "sync": "bring the run tree to the bookmark now",
}
RARELY = {
    "watch": "the daemon, in the foreground",
    "backups": "what a sync took out of the way",
    "ack": "say that failed jobs and backups were seen",
    "config": "every setting, its value and what it does; set one",
    "doctor": "check all that wtwatch relies on, with the fix for each fault",
    "hooks": "the git hooks that ring the bell",
    "service": "the daemon as a systemd user service",
    "prompt": "the short line of status in a shell's prompt",
    "demo": "the whole story on a small project",
    "forget": "stop watching a project; data stays",
}
COMMANDS = EVERY_DAY | RARELY


@click.command(
    cls=LazyGroup,
    package="wtwatch.commands",
    listed={"Every day": EVERY_DAY, "Rarely": RARELY},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="wtwatch")
def cli() -> None:
    """Keep a DataLad run tree at the bookmark: notice, sync, save, run, merge."""


def read(words: Sequence[str]) -> int:
    """Read one command line and run it; return its exit code. Raises what the command raises."""
    try:
        result = cli.main(args=list(words), prog_name="wtwatch", standalone_mode=False)
    except click.UsageError as error:
        return _refused(error, words)
    except click.ClickException as error:
        error.show()
        return 2
    except click.exceptions.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _refused(error: click.UsageError, words: Sequence[str]) -> int:
    """Say what could not be read as all trouble is said, with how it is written."""
    if type(error).__name__ == "NoArgsIsHelpError":  # of click 8.2 and later
        error.show()
        return 2
    context = error.ctx or _context(words)
    hint = f"{context.get_usage()}   (`{context.command_path} -h` says more)"
    complain(UsageError(error.format_message(), hint))
    return 2


def _context(words: Sequence[str]) -> click.Context:
    """Return where a command line is read: click does not say so of an option that lacks its value."""
    context = click.Context(cli, info_name="wtwatch")
    for word in words:
        group = context.command
        inner = group.get_command(context, word) if isinstance(group, click.Group) else None
        if inner is None:
            break
        context = click.Context(inner, parent=context, info_name=word)
    return context
