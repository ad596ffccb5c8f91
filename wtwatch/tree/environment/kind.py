"""What a kind of environment is: what makes it, which files say what is wanted, how to ask what it lacks."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import traces
from wtwatch.doors.memory import Memory

Command = list[str] | str
"""Words of a program, or a line for the shell."""


class Kind(NamedTuple):
    """How an environment is made and kept.

    ``name`` is the file that it is known by. ``commands`` meet what is wanted in place and leave alone what
    is installed besides; before them ``first``, where there is no environment yet. ``files`` say what is
    wanted: paths and patterns, from code's folder; where they match nothing, all of code does (``or_all``).
    ``elsewhere``: it need not be in the folder of the setting. ``asks`` is the command that says what would
    change if nothing else were to be installed; with ``each_move`` that takes so little that it is asked at
    each move. ``adds`` is the line that makes a package part of code, ``offer`` the command of a kind that is
    known and not looked after, ``problem`` what bars it.
    """

    name: str
    commands: tuple[Command, ...] = ()
    first: tuple[Command, ...] = ()
    files: tuple[str, ...] = ()
    or_all: bool = False
    elsewhere: bool = False
    asks: Command | None = None
    each_move: bool = False
    adds: str | None = None
    offer: str | None = None
    problem: str | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The programs that it needs."""
        words = (command for command in self.commands if isinstance(command, list))
        return tuple(dict.fromkeys(command[0] for command in words))


Row = Callable[[Path], Kind | None]
"""Looks whether a folder of code has the files of a kind."""

PYTHON_FILES = ("pyproject.toml", "uv.lock", "requirements*.txt", ".python-version", "setup.py", "setup.cfg")


_known: Memory[tuple[str | int, ...], bytes] = Memory(64)

_RACY = 50_000_000
"""Nanoseconds within which a file may change twice without a trace in its times."""


def bytes_of(file: Path) -> bytes | None:
    """Return what is in a file, ``None`` if it cannot be read.

    It is read again when it changed: if it were each time, each job that runs meanwhile would seem to use it.
    """
    stamp = traces.stamp(str(file))
    key = (str(file), *(stamp or ()))
    found = _known.get(key)
    if found is None:
        try:
            found = file.read_bytes()
        except OSError:
            return None
        if stamp and stamp[3] < time.time_ns() - _RACY:
            _known[key] = found
    return found


def text_of(file: Path) -> str:
    """Return what is in a file, "" if it cannot be read; see :func:`bytes_of`."""
    text = (bytes_of(file) or b"").decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def has_table(code: Path, name: str) -> bool:
    """Return whether ``pyproject.toml`` has a table; also of one that is no TOML, which its tool will say."""
    return bool(re.search(rf"^\s*\[{name}\]", text_of(code / "pyproject.toml"), re.MULTILINE))
