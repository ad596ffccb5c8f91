"""How all results of a project stand, in numbers: what `status` shows.

No `from __future__ import annotations`: see :mod:`wtwatch.words.model`.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    """What changed, and how ("changed", "came", "is gone"); ``results``: how many that concerns.

    Of code, where that is known, in which commit, and the first line of its message.
    """

    path: str
    how: str
    results: int
    commit: str | None = None
    subject: str | None = None


class Behind(NamedTuple):
    """A result that is stale: its commit, what it is called, and the paths that changed, each with how."""

    commit: str
    name: str
    why: tuple[tuple[str, str], ...]


class Tally(NamedTuple):
    """How the ``results`` of jobs stand to code, inputs and environment; the rest of them is fresh.

    ``fed`` are looked at again once stale ones were made anew, of ``unknown`` nobody can tell. Those
    ``reasons`` come first that concern the most results; of the stale ones the first are ``listed``.
    """

    results: int
    stale: int
    fed: int = 0
    unknown: int = 0
    reasons: tuple[Reason, ...] = ()
    listed: tuple[Behind, ...] = ()
