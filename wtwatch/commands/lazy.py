"""Groups of commands of click, each a file of its own, which is imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from wtwatch import __version__
from wtwatch.views.terminal import abandon_stdout
from wtwatch.words.errors import UsageError

Listed = Mapping[str, Mapping[str, str]]
"""By the title of a section: the commands, and what each is for."""


class LazyGroup(click.Group):
    """A group that knows its commands by name alone: none waits for what it does not use.

    Each is called ``command`` in a module of its name in ``package``; ``listed`` is what help says of them.
    """

    def __init__(self, *words: Any, package: str, listed: Listed, **more: Any) -> None:
        super().__init__(*words, **more)
        self._package = package
        self._listed = listed

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the story."""
        return [name for commands in self._listed.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` for an option, :class:`UsageError` for a word that is no command."""
        known = self.list_commands(ctx)
        if cmd_name not in known:
            if ctx.resilient_parsing or cmd_name.startswith("-"):
                return None
            alike, path = _alike(cmd_name, known), ctx.command_path
            usage = f"Usage: {path} COMMAND…   (`{path} -h` lists all)"
            meant = f"Did you mean: {path} {alike[0]}" if alike else usage
            raise UsageError(f"There is no command {cmd_name!r}.", meant)
        command = importlib.import_module(f"{self._package}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return _prepared(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands for ``--help`` without importing them."""
        for title, commands in self._listed.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing them."""
        listed = (item for commands in self._listed.values() for item in commands.items())
        found = [CompletionItem(name, help=text) for name, text in listed]
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
