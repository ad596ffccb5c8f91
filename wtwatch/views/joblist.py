"""What `queue list` prints: a line a job under a line a batch, the newest last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from wtwatch.queue.pages import BatchLine, Page, Row
from wtwatch.views.jobwords import (
    COLOURS,
    MARKS,
    caption,
    is_bad,
    local,
    one_line,
    outcome,
    seconds,
    standing_caption,
    standing_number,
)
from wtwatch.views.terminal import folded, styled
from wtwatch.words.model import Ended, Running, Standing, Trigger, spent

TRIGGERS = {"now": "next in line", "on-move": "after a move", "every-move": "at every move"}
"""When a batch begins, in words."""

_MARGIN = "  "


class _Cells(NamedTuple):
    """One line in its columns, without colour."""

    id: str
    state: str
    start: str
    took: str


def lines(
    page: Page,
    subjects: Mapping[str, str],
    at: datetime,
    columns: int | None,
    waits: Mapping[int, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Yield the lines of a page at the moment ``at``, each of at most so many ``columns`` (``None``: any).

    ``subjects`` has the first line of the message of each code commit that is known, ``waits`` by jobs what
    keeps those from their work that a cluster has.
    """
    if page.older:
        yield f"… {page.older} older: -n 0 shows all"
    cells = [_cells(row, page.batches, at) for row in page.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
    twins = _twins(page.rows)
    before = None
    for row, texts in zip(page.rows, cells, strict=True):
        if row.job.batch != before:
            before = row.job.batch
            yield from header(page.batches[before], subjects, columns)
        colour = None if row.later else COLOURS.get(row.job.word)
        head, mark = _head(texts, widths), _mark(row, waits.get(row.job.id))
        room = columns and columns - len(head) - len(mark)
        yield styled(head, colour) + shortened(_what(row, twins), room) + mark


def header(batch: BatchLine, subjects: Mapping[str, str], columns: int | None) -> Iterator[str]:
    """Yield the line of a batch: its number, its code, what began it, how its jobs stand."""
    parts = [f"batch {batch.id}"]
    if batch.code_sha:
        subject = one_line(subjects.get(batch.code_sha, ""))
        parts.append(f"{batch.code_sha[:10]} {shortened(subject, 40)}".strip())
    began = trigger(batch)
    parts += [f"{began} (s{batch.standing})" if batch.standing else began] if began else []
    if sum(batch.counts.values()) > 1:
        parts.append(
            ", ".join(f"{number} {word}" for word, number in sorted(batch.counts.items(), key=_order))
        )
    yield from (styled(line, bold=True) for line in joined(parts, columns))


def trigger(batch: BatchLine) -> str:
    """Return when a batch begins, or what began it; "" where somebody queued it, and that is over."""
    if batch.trigger != Trigger.NOW.value:
        return TRIGGERS.get(batch.trigger, batch.trigger)
    if not (batch.counts.keys() & {"waiting", "running"}):
        return ""
    return "under way" if batch.code_sha else TRIGGERS[batch.trigger]


def joined(parts: Sequence[str], columns: int | None) -> list[str]:
    """Return parts with a dot between them, in lines of at most so many columns, broken between parts."""
    found = [parts[0]]
    for part in parts[1:]:
        longer = f"{found[-1]} · {part}"
        if columns is None or len(longer) <= columns:
            found[-1] = longer
        else:
            found += folded(f"{_MARGIN}{part}", columns, indent=_MARGIN)
    return found


def standing_lines(standing: Collection[Standing], columns: int | None) -> Iterator[str]:
    """Yield a line for each standing order."""
    for template in standing:
        head = f"s{template.id} standing: {standing_number(template)} at every move: "
        yield head + shortened(standing_caption(template), columns and columns - len(head))


def shortened(text: str, room: int | None) -> str:
    """Return text in so many columns at most: its middle is left out, as what differs stands at the ends."""
    if room is None or len(text) <= room:
        return text
    if room < 8:
        return text[: max(room, 0)]
    tail = room // 3
    return f"{text[: room - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def _cells(row: Row, batches: Mapping[int, BatchLine], at: datetime) -> _Cells:
    job, batch = row.job, batches.get(row.job.batch)
    word = "on move" if job.word == "waiting" and batch and not batch.is_due else outcome(job)
    started = job.state.started if isinstance(job.state, Running | Ended) else None
    took = seconds(job, at)
    return _Cells(
        str(job.id),
        f"{MARKS.get(job.word, '?')} {word}",
        local(started, at) if started else "",
        "" if took is None else spent(took),
    )


def _head(cells: _Cells, widths: list[int]) -> str:
    id_, state, start, took = widths
    aligned = (
        cells.id.rjust(id_),
        cells.state.ljust(state),
        cells.start.rjust(start),
        cells.took.rjust(took),
    )
    return _MARGIN + "".join(cell + _MARGIN for cell in aligned)


def _what(row: Row, twins: Collection[tuple[int, str]]) -> str:
    job = row.job
    said = caption(job.spec)
    if job.spec.message and (job.batch, said) in twins:
        said += f": {one_line(job.spec.command)}"
    return said


def _mark(row: Row, waits: str | None) -> str:
    """Return in which lane a job runs or waits; of one that ended, that it was retried or seen."""
    if isinstance(row.job.state, Running) and row.job.state.lane is not None:
        return f"  (lane {row.job.state.lane}{f', {one_line(waits)}' if waits else ''})"
    if row.later:
        return f"  → batch {row.later}"
    return "  (seen)" if is_bad(row.job) and row.job.acknowledged else ""


def _twins(rows: Collection[Row]) -> set[tuple[int, str]]:
    """Return what several jobs of a batch are said to do, though they do not do the same."""
    seen: dict[tuple[int, str], str] = {}
    twins = set()
    for row in rows:
        key = (row.job.batch, caption(row.job.spec))
        if seen.setdefault(key, row.job.spec.command) != row.job.spec.command:
            twins.add(key)
    return twins


def _order(count: tuple[str, int]) -> int:
    words = [*MARKS, "retried"]
    return words.index(count[0]) if count[0] in words else len(words)
