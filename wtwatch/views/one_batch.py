"""A batch on a screen: its jobs as a grid of their `--each` values, a mark a cell; else as a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.queue import pages
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import Page, Row
from wtwatch.queue.progress import Waiter
from wtwatch.tree import tip
from wtwatch.views import joblist, jobway, waiting
from wtwatch.views.joblist import header
from wtwatch.views.jobwords import COLOURS, MARKS, needs_attention, one_line, ranged
from wtwatch.views.terminal import folded, styled

_RETRIED = "→"
_GAP = "  "

Grid = Mapping[tuple[str, ...], Mapping[str, Row]]
"""Jobs by the values of all names but the last, and by that of the last."""


def lines(project: Project, number: int, at: datetime, columns: int | None) -> Iterator[str]:
    """Yield the screen of a batch at the moment ``at``; raises :class:`UsageError` if there is none."""
    page = pages.batch(Queue(project.state).file, number)
    batch = page.batches[number]
    subjects = Repo(project.main_code).subjects([batch.code_sha] if batch.code_sha else [])
    grid = grid_of(page.rows)
    drawn = list(_drawn(grid, page.rows)) if grid else []
    if drawn and all(columns is None or width <= columns for width, _ in drawn):
        yield from header(batch, subjects, columns)
        yield from (line for _, line in drawn)
        yield ""
        yield from folded("   ".join(_legend(page.rows)), columns)
    else:
        yield from joblist.lines(page, subjects, at, columns)
    yield ""
    yield from _way(project, page, at, columns)


def grid_of(rows: Sequence[Row]) -> Grid | None:
    """Return jobs as a grid, if all have values of the same names, of two at least, and no two the same."""
    names = {tuple(name for name, _ in row.job.spec.values) for row in rows}
    if len(names) != 1 or len(next(iter(names))) < 2:
        return None
    grid: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        *outer, inner = (one_line(value) for _, value in row.job.spec.values)
        line = grid.setdefault(tuple(outer), {})
        if inner in line:
            return None
        line[inner] = row
    return grid


def _drawn(grid: Grid, rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a grid, each with its width."""
    heads = list(dict.fromkeys(inner for line in grid.values() for inner in line))
    names = [" ".join(outer) for outer in grid]
    first = max(map(len, names))
    number = max(len(str(row.job.id)) for row in rows)
    widths = [max(len(head), number + 2) for head in heads]
    title = "".join(f"{_GAP}{head:<{width}}" for head, width in zip(heads, widths, strict=True))
    yield len(_GAP) + first + len(title.rstrip()), f"{_GAP}{'':<{first}}{title}".rstrip()
    for name, line in zip(names, grid.values(), strict=True):
        cells = [_cell(line.get(head), width) for head, width in zip(heads, widths, strict=True)]
        yield (
            len(_GAP) + first + sum(widths) + len(_GAP) * len(widths),
            f"{_GAP}{name:<{first}}{''.join(cells)}".rstrip(),
        )


def _cell(row: Row | None, width: int) -> str:
    if row is None:
        return _GAP + " " * width
    text = f"{_mark(row)} {row.job.id}"
    return _GAP + styled(text, None if row.later else COLOURS.get(row.job.word)) + " " * (width - len(text))


def _mark(row: Row) -> str:
    return _RETRIED if row.later else MARKS.get(row.job.word, "?")


def _legend(rows: Sequence[Row]) -> list[str]:
    """Return what the marks mean that are there."""
    words: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: [*MARKS.values(), "?", _RETRIED].index(_mark(row))):
        said = words.setdefault(_mark(row), [])
        word = f"retried in batch {row.later}" if row.later else row.job.word
        said += [word] if word not in said else []
    return [f"{mark} {', '.join(said)}" for mark, said in words.items()]


def _way(project: Project, page: Page, at: datetime, columns: int | None) -> Iterator[str]:
    """Yield how far a batch is that is not over, and what it waits for; then what to do about failures."""
    jobs = [row.job for row in page.rows if not row.later]
    progress = Waiter(Queue(project.state).file, [job.id for job in jobs]).look(tip.read(project).commit)
    left = progress.left()
    if left:
        runs = progress.running is not None and progress.running.batch == jobs[0].batch
        yield waiting.ahead(
            progress if runs else progress._replace(running=None, beside=()), at, columns or 120
        )
        if not runs:
            first = next(job for job in jobs if job.id == left[0])
            yield from folded(jobway.sentence(project, first), columns)
    bad = ranged(job.id for job in jobs if needs_attention(job))
    if bad:
        yield from folded(f"Failed: wtwatch queue logs {bad}  ·  wtwatch queue retry {bad}", columns)
    elif not left:
        yield "It is over."
