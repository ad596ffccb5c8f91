"""Words out: on stdout what was asked for, on stderr trouble; with colour on terminals alone.

Without click, which a status does not wait for, and at first with nothing but what Python has loaded at its
start, for which a glance does not wait either.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from typing import TextIO

    from wtwatch.words.errors import WtwatchError

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}  # ECMA-48, "select graphic rendition"


NARROWEST = 40
"""Columns below which nothing is folded any narrower."""


def plain() -> bool:
    """Return whether there shall be no colour anywhere: asked for (https://no-color.org), or TERM=dumb."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def width() -> int | None:
    """Return how many columns the reader has: those of ``COLUMNS``, else the terminal's.

    ``None`` where nobody says: in a pipe or a file a line may be as long as it is, so that `grep` finds all
    of it. ``COLUMNS`` is read as curses(3) does: only a number above 0 counts.
    """
    return _columns(sys.stdout)


def _columns(stream: TextIO) -> int | None:
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return max(int(said), NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or 80, NARROWEST)
    except (OSError, ValueError, AttributeError):  # no terminal; closed; not there at all
        return None


def folded(text: str, columns: int | None, indent: str = "") -> list[str]:
    """Return ``text`` as lines of at most ``columns``, broken at spaces; all but the first have ``indent``.

    A word that is longer than a line, such as a path, stays whole. Colours count as columns: fold first.
    """
    if columns is None or len(text) <= columns:
        return [text]
    lines, line, at = [], "", 0
    for word in text.split():
        end = text.index(word, at) + len(word)
        chunk, at = text[at:end], end  # a word with the blanks before it
        if line and len(line + chunk) > columns:
            lines.append(line)
            line = indent + chunk.lstrip()
        else:
            line += chunk
    return [*lines, line]


def styled(text: str, colour: str | None = None, bold: bool = False, on: TextIO | None = None) -> str:
    """Return ``text`` as the stream ``on`` (default: stdout) shows it: with colour only on a terminal."""
    stream = on or sys.stdout
    if plain() or stream is None or not stream.isatty():  # None: it was closed by who started the command
        return text
    codes = [str(_COLOURS[colour])] if colour else []
    codes += ["1"] if bold else []
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


_CODES = ("0", "1", *(f"3{colour}{bold}" for colour in range(1, 7) for bold in ("", ";1")))
_OWN = r"(\x1b\[(?:0|1|3[1-6](?:;1)?)m)"
"""What :func:`styled` writes, as a regular expression."""

_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
"""What does something to a terminal, or turns the order of letters (Unicode's bidirectional controls)."""


def harmless(text: str) -> str:
    """Return text as a terminal may have it: our colours, line ends and tabs stay, other controls are named.

    Subjects of commits, names of files and of processes, and what a tool said may hold any. They are named as
    JSON does it, so a document of JSON stays the same document.
    """
    bare = text
    for allowed in ("\n", "\t", *(f"\x1b[{code}m" for code in _CODES)):
        bare = bare.replace(allowed, " ")
    if bare.isprintable():  # as nearly always
        return text
    import re  # for which a glance does not wait

    parts = re.split(_OWN, text)
    parts[::2] = [re.sub(_CONTROL, lambda found: f"\\u{ord(found[0]):04x}", part) for part in parts[::2]]
    return "".join(parts)


def _print(text: str, stream: TextIO | None) -> None:
    print(harmless(text) if stream is not None and stream.isatty() else text, file=stream, flush=True)


def say(text: str = "") -> None:
    """Print what was asked for; what moves the cursor of a terminal is not for here."""
    _print(text, sys.stdout)


def say_folded(text: str) -> None:
    """Print sentences for people, which fit the terminal; a command on a line of its own stays whole."""
    say("\n".join(_each_folded(text, width())))


def warn(text: str) -> None:
    """Print on stderr: trouble that does not stop the command."""
    _print("\n".join(_fitting(text)), sys.stderr)


def _fitting(text: str) -> list[str]:
    """Return what goes to stderr as lines that fit its terminal; a command on its own line stays whole."""
    if sys.stderr is None or not sys.stderr.isatty():
        return [text]
    return _each_folded(text, _columns(sys.stderr))


def _each_folded(text: str, columns: int | None) -> list[str]:
    """Return lines that fit, but for commands: these stand on their own, in lines that begin with a blank."""
    return [
        part for line in text.split("\n") for part in ([line] if line[:1] == " " else folded(line, columns))
    ]


def complain(error: WtwatchError) -> None:
    """Print an error and the way out on stderr."""
    _labelled("Error: ", "red", error.message)
    if error.hint:
        _labelled("Hint: ", "cyan", error.hint)


def _labelled(label: str, colour: str, text: str) -> None:
    first, *more = _fitting(label + text)  # folded without colours, which count as columns
    shown = styled(label, colour, bold=True, on=sys.stderr) + first.removeprefix(label.rstrip()).lstrip()
    _print("\n".join([shown, *more]), sys.stderr)


def abandon_stdout() -> None:
    """Have what could not be printed vanish; else python complains of it at its exit, with code 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
