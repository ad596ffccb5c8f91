"""All commands as one group of click. Each is a file in ``commands/``, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from wtwatch import __version__
from wtwatch.views.terminal import abandon_stdout, complain
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


class LazyGroup(click.Group):
    """A group that knows its commands by name alone: ``status`` must not wait for what it does not use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the story."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` for an option, :class:`UsageError` for a word that is no command."""
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing or cmd_name.startswith("-"):
                return None
            alike = _alike(cmd_name, COMMANDS)
            meant = (
                f"Did you mean: wtwatch {alike[0]}"
                if alike
                else "Usage: wtwatch COMMAND…   (`wtwatch -h` lists all)"
            )
            raise UsageError(f"There is no command {cmd_name!r}.", meant)
        module = importlib.import_module(f"wtwatch.commands.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return _prepared(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands for ``--help`` without importing them."""
        for title, commands in (("Every day", EVERY_DAY), ("Rarely", RARELY)):
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing them."""
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [item for item in found if item.value.startswith(incomplete)] + options

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words; that prints help and version too."""
        with _readers_may_leave():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _readers_may_leave():
            return super().invoke(ctx)


def _alike(word: str, known: Iterable[str]) -> list[str]:
    """Return the one of many words that is most like another, if one is."""
    from difflib import get_close_matches  # for who mistyped alone

    return get_close_matches(word, list(known), n=1)


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Take it as no trouble that a reader has enough, as in `wtwatch queue list | head`."""
    try:
        yield
    except BrokenPipeError:
        abandon_stdout()
        raise click.exceptions.Exit(0) from None


def _prepared(command: click.Command) -> click.Command:
    """Give a command, and those in it, the option ``--version``, and have it refuse empty words."""
    if not any("--version" in parameter.opts for parameter in command.params):
        for parameter in command.params:
            if isinstance(parameter.type, click.Choice):
                parameter.type = _OneOf(parameter.type.choices)
            elif isinstance(parameter.type, click.types.StringParamType | click.Path):
                parameter.type = _Filled(parameter.type)
        click.version_option(__version__, prog_name="wtwatch")(command)
        for inner in command.commands.values() if isinstance(command, click.Group) else ():
            _prepared(inner)
    return command


class _Filled(click.types.StringParamType):
    """A type that refuses an empty word, such as that of a variable that is not set: nothing is guessed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the word stands for."""
        if isinstance(value, str) and not value.strip():
            self.fail("it is empty.", param, ctx)
        return self._inner.convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete as the type itself does."""
        found: list[CompletionItem] = self._inner.shell_complete(ctx, param, incomplete)
        return found


class _OneOf(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on
    """One of several words; what is nearly one is told which."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        alike = [] if value in self.choices else _alike(str(value), self.choices)
        if alike:
            option = f"{param.opts[0]} " if isinstance(param, click.Option) else ""
            meant = f"Did you mean {option}{alike[0]}?"
            self.fail(f"{value!r} is none of {', '.join(self.choices)}. {meant}", param, ctx)
        return super().convert(value, param, ctx)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Say on the same line what there is to choose from."""
        return f"Choose from {', '.join(self.choices)}."


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
