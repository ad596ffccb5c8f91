"""The list of backups, and what is said of those that were dropped: from values alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from wtwatch.views.terminal import folded
from wtwatch.words.model import ago, counted, sized


class Line(NamedTuple):
    """One backup, or environment that was set aside. ``what`` are its files in a few words."""

    id: str
    made: datetime
    files: int
    size: int
    what: str
    new: bool = False


def lines(found: Sequence[Line], at: datetime, columns: int | None) -> Iterator[str]:
    """Yield the list at the moment ``at``, oldest first; a star marks those that were not acknowledged."""
    if not found:
        yield "No backups."
        return
    facts = [_facts(one, at) for one in found]
    widths = [max(map(len, column)) for column in zip(*facts, strict=True)]
    for one, words in zip(found, facts, strict=True):
        start = "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=True))
        text = f"{'*' if one.new else ' '} {start}  "
        if columns is None or len(text) + len(one.what) <= columns:
            yield text + one.what
        else:
            yield text.rstrip()
            yield from (f"      {line}" for line in folded(one.what, columns - 6))
    if any(one.new for one in found):
        yield ""
        yield "* not seen yet: wtwatch backups show ID; then wtwatch ack ID (or --all)"


def _facts(one: Line, at: datetime) -> tuple[str, ...]:
    return one.id, f"{ago(one.made, at)} ago", counted(one.files, "file"), sized(one.size)
