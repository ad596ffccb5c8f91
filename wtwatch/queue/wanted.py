"""Which jobs somebody means: the words JOBS of a command, the same everywhere."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wtwatch.queue.database import reading
from wtwatch.queue.rows import DIGITS, JobId, number_of
from wtwatch.words.errors import UsageError

_RANGE = re.compile(r"(\d+)[-–](\d+)", re.ASCII)  # the dash too that is printed of several jobs
_STANDING = re.compile(r"s(\d+)", re.ASCII)
_BATCH = re.compile(r"b(\d+)", re.ASCII)


def wanted(
    file: Path, words: Sequence[str], batches: Sequence[str] = (), standing: bool = False
) -> list[JobId]:
    """Return the jobs that JOBS name, each once, in the order in which they were named.

    ``words`` are numbers, ranges such as ``12-20`` (of which those that are there are meant) and batches such
    as ``b3``; ``batches`` are numbers of batches, as ``--batch`` has them; with ``standing`` also ``s1``,
    which stays that word. ``file`` is the queue's database. Raises :class:`UsageError` for what names none.
    """
    with reading(file) as db:
        found = [job for word in words for job in _named(db, word, standing)]
        found += [job for batch in batches for job in _of_batch(db, batch)]
    return list(dict.fromkeys(found))


def _named(db: sqlite3.Connection, word: str, standing: bool) -> Iterator[JobId]:
    if batch := _BATCH.fullmatch(word):
        yield from _of_batch(db, batch[1])
    elif ends := _RANGE.fullmatch(word):
        yield from _between(db, word, number_of(ends[1]), number_of(ends[2]))
    elif template := _STANDING.fullmatch(word):
        yield _standing(db, word, number_of(template[1]), standing)
    else:
        number = number_of(word)
        yield from _or_none(
            db.execute("SELECT id FROM jobs WHERE id = ?", (number,)), f"There is no job {number}."
        )


def _between(db: sqlite3.Connection, word: str, first: int, last: int) -> list[JobId]:
    if first > last:
        raise UsageError(f"The range {word} is upside down.", f"Write {last}-{first}.")
    rows = db.execute("SELECT id FROM jobs WHERE id BETWEEN ? AND ? ORDER BY id", (first, last))
    return _or_none(rows, f"There are no jobs {word}.")


def batch_number(batch: str) -> int:
    """Return the number that people gave of a batch; raises :class:`UsageError` for what can be none."""
    digits = batch.removeprefix("b")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(f"{batch!r} is not the number of a batch.", "`wtwatch queue list` shows all.")
    if len(digits) > DIGITS:
        raise UsageError(f"There is no batch {digits}.", "`wtwatch queue list` shows all.")
    return int(digits)


def _of_batch(db: sqlite3.Connection, batch: str) -> list[JobId]:
    number = batch_number(batch)
    rows = db.execute("SELECT id FROM jobs WHERE batch = ? ORDER BY place", (number,))
    moved = db.execute("SELECT 1 FROM attempts WHERE batch = ?", (number,)).fetchone()
    otherwise = f"All jobs of batch {number} were retried, in other batches." if moved else None
    return _or_none(rows, otherwise or f"There is no batch {number}.")


def _standing(db: sqlite3.Connection, word: str, number: int, allowed: bool) -> str:
    if not allowed:
        raise UsageError(
            f"{word} are standing jobs, which become a batch at each move.",
            "Name a job of such a batch, by its number: `wtwatch queue list` shows all.",
        )
    if not db.execute("SELECT 1 FROM standing WHERE id = ?", (number,)).fetchone():
        raise UsageError(f"There are no standing jobs {word}.", "`wtwatch queue list` shows all.")
    return f"s{number}"


def _or_none(rows: Iterable[sqlite3.Row], otherwise: str) -> list[JobId]:
    found: list[JobId] = [row["id"] for row in rows]
    if not found:
        raise UsageError(otherwise, "`wtwatch queue list` shows all.")
    return found
