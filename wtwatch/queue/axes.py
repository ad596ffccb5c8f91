"""The axes of a batch that stands in a file, and its rows: each combination, but for what is left out.

Values are listed, or lines of a file, or names of what a pattern finds in the dataset. The last are names
that may have come with somebody else's commits, and commands are lines for a shell: so of a name that a
shell would read otherwise no job is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

_HARMLESS = re.compile(r"[\w@%+=:,.][\w@%+=:,.-]*")
_PART = re.compile(r"\{(\w+)\}|(\*)|(\?)|([^{*?]+|\{)")


class Axis(NamedTuple):
    """A name and its values; with ``glob`` they are those that this pattern finds in the dataset."""

    name: str
    values: tuple[str, ...] = ()
    glob: str | None = None


class Found(NamedTuple):
    """What a pattern finds, sorted; ``odd`` are names that a shell would read otherwise, and no values."""

    values: tuple[str, ...]
    odd: tuple[str, ...] = ()


class Rules(NamedTuple):
    """Which combinations are left out, each by some of its values, and which single ones come besides."""

    exclude: tuple[Mapping[str, Sequence[str]], ...] = ()
    include: tuple[Mapping[str, str], ...] = ()


def look(top: Path, axis: Axis) -> Found:
    """Return the values of an axis; ``top`` is where the dataset lies in which patterns are looked for."""
    if axis.glob is None:
        return Found(axis.values)
    parts = [part for part in os.path.normpath(axis.glob).split("/") if part != "."]
    names = sorted(set(_below(os.fspath(top), parts, axis.name, None)))
    sound = {name: _HARMLESS.fullmatch(name) is not None for name in names}
    return Found(
        tuple(name for name in names if sound[name]), tuple(name for name in names if not sound[name])
    )


def rows(names: Sequence[str], values: Mapping[str, Sequence[str]], rules: Rules) -> list[dict[str, str]]:
    """Return each combination of values, the first name varying slowest, then what is included."""
    found = [dict(zip(names, row, strict=True)) for row in product(*(values[name] for name in names))]
    kept = [row for row in found if not any(_is_meant(row, one) for one in rules.exclude)]
    return kept + [{name: row[name] for name in names} for row in rules.include]


def _is_meant(row: Mapping[str, str], some: Mapping[str, Sequence[str]]) -> bool:
    return all(row[name] in values for name, values in some.items())


def _below(folder: str, parts: Sequence[str], name: str, value: str | None) -> Iterator[str]:
    """Yield what stands for ``{name}`` in the paths below ``folder`` that the parts of a pattern match."""
    first, *rest = parts
    pattern = _pattern(first, name, value)
    for entry in _entries(folder):
        found = pattern.fullmatch(entry.name)
        if found is None or (entry.name.startswith(".") and not first.startswith(".")):
            continue
        here = value if value is not None else found.groupdict().get("value")
        if not rest:
            yield from () if here is None else (here,)
        elif _is_folder(entry):
            yield from _below(entry.path, rest, name, here)


def _pattern(part: str, name: str, value: str | None) -> re.Pattern[str]:
    """Return what one part of a path has to be; ``value``: what stood for ``{name}`` before."""
    made, known = "", value is not None
    for field, star, mark, text in _PART.findall(part):
        if field == name:
            again = re.escape(value) if value is not None else "(?P=value)"
            made += again if known else "(?P<value>.+)"
            known = True
        elif star or mark:
            made += ".*" if star else "."
        else:
            made += re.escape(text or f"{{{field}}}")
    return re.compile(made, re.DOTALL)


def _entries(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:  # gone, or no folder, or not to be read: nothing is found there
        return ()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
