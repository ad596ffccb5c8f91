"""What is next: which batch, which of its jobs, and what waits for a move. Pure: queue/batches has looked."""

from collections.abc import Iterator
from typing import NamedTuple

from wtwatch.words.model import Sha


class OpenBatch(NamedTuple):
    """A batch of which jobs run or wait.

    ``due`` is its place in the order of becoming due, ``None`` while it waits for a move away from ``base``;
    ``code_sha`` the commit that it runs on, once it has started; ``first`` the first of its jobs that waits.
    """

    id: int
    due: int | None
    base: Sha | None
    code_sha: Sha | None
    first: int | None
    runs: bool


class OpenWork(NamedTuple):
    """All that is not over; ``standing``: since which tips the standing jobs wait for a move."""

    batches: tuple[OpenBatch, ...]
    standing: tuple[Sha, ...]
    paused: bool


def next_job(work: OpenWork, though_paused: bool) -> int | None:
    """Return which job to start: of the batch that has started, else of the one that has been due longest.

    ``None`` when paused (unless ``though_paused``), while a job runs, or when nothing is due.
    """
    if _runs(work) or (work.paused and not though_paused):
        return None
    batch = min(_ready(work), key=lambda batch: (batch.code_sha is None, batch.due), default=None)
    return batch.first if batch else None


def next_batch(work: OpenWork) -> int | None:
    """Return the batch of which jobs may start in lanes: the one that has started, else the next one due.

    Batches follow each other: while jobs of one run, none of another starts. ``None`` when paused.
    """
    if work.paused:
        return None
    batch = min(_ready(work), key=lambda batch: (batch.code_sha is None, batch.due), default=None)
    others = batch and any(one.runs for one in work.batches if one is not batch)
    return None if batch is None or others else batch.id


def under_way(work: OpenWork) -> int | None:
    """Return the batch that has started and has jobs left: it keeps its code."""
    started = [batch for batch in work.batches if batch.code_sha is not None]
    return min(started, key=lambda batch: batch.due or 0).id if started else None


def for_a_move(work: OpenWork) -> list[OpenBatch]:
    """Return the batches that become due by a move, in the order in which they were queued."""
    return sorted((batch for batch in work.batches if batch.due is None), key=lambda batch: batch.id)


def bases(work: OpenWork) -> set[Sha]:
    """Return the tips since which something waits for a move."""
    return {batch.base for batch in for_a_move(work) if batch.base} | set(work.standing)


def pending(work: OpenWork, tip: Sha) -> bool:
    """Return whether anything waits for a move to ``tip``."""
    return bool(bases(work) - {tip})


def unfinished(work: OpenWork, tip: Sha | None) -> bool:
    """Return whether a job runs, is due, or will be by a move to ``tip``.

    What a pause holds back is not due; without a tip there is no move.
    """
    return _runs(work) or expected(work, tip)


def expected(work: OpenWork, tip: Sha | None) -> bool:
    """Return whether a job is due besides one that runs, or will be by a move to ``tip``."""
    moves = tip is not None and pending(work, tip)
    return not work.paused and (moves or any(_ready(work)))


def _runs(work: OpenWork) -> bool:
    return any(batch.runs for batch in work.batches)


def _ready(work: OpenWork) -> Iterator[OpenBatch]:
    return (batch for batch in work.batches if batch.due is not None and batch.first is not None)
