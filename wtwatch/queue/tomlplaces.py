"""On which line of a TOML text a key stands: found by its words, as the parser does not tell."""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[+([^\[\]]+)\]+")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_of(text: str, key: str, value: str | None = None) -> int | None:
    """Return the line, from 1, on which ``key`` is set, such as ``each.subject``, or its table begins.

    With ``value``, that of the first line from there on which has it between quotes, before the next key.
    ``None`` where it is not found, as of a key in a table within a line.
    """
    found = _places(text)
    at = next((line for name, line in found if name == key), None)
    if at is None or value is None:
        return at
    until = next((line for _, line in found if line > at), None)
    lines = text.split("\n")[at - 1 : until and until - 1]
    quoted = (f'"{value}"', f"'{value}'")
    return next((at + place for place, line in enumerate(lines) if any(one in line for one in quoted)), at)


def _places(text: str) -> list[tuple[str, int]]:
    """Return the keys and tables of a text with their lines, in order."""
    found, table = [], ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _TABLE.fullmatch(line.partition("#")[0].rstrip()):
            table = _plain(header[1])
            found.append((table, number))
        elif key := _KEY.match(line):
            found.append((".".join(filter(None, (table, _plain(key[1])))), number))
    return found


def _plain(key: str) -> str:
    """Return a dotted key without quotes and spaces."""
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
