"""Words out: on stdout what was asked for, on stderr trouble; with colour on terminals alone.

Without click, which a status does not wait for.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from wtwatch.words.errors import WtwatchError

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}  # ECMA-48, "select graphic rendition"


def plain() -> bool:
    """Return whether the user asked for no colour anywhere (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def styled(text: str, colour: str | None = None, bold: bool = False, on: TextIO | None = None) -> str:
    """Return ``text`` as the stream ``on`` (default: stdout) shows it: with colour only on a terminal."""
    if plain() or not (on or sys.stdout).isatty():
        return text
    codes = [str(_COLOURS[colour])] if colour else []
    codes += ["1"] if bold else []
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def say(text: str = "") -> None:
    """Print what was asked for."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print on stderr: trouble that does not stop the command."""
    print(text, file=sys.stderr, flush=True)


def complain(error: WtwatchError) -> None:
    """Print an error and the way out on stderr."""
    warn(styled("Error: ", "red", bold=True, on=sys.stderr) + error.message)
    if error.hint:
        warn(styled("Hint: ", "cyan", bold=True, on=sys.stderr) + error.hint)


def abandon_stdout() -> None:
    """Have what could not be printed vanish; else python complains of it at its exit, with code 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
