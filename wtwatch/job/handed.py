"""A look at the tree that whoever starts a job made, handed on to its process, which need not look again.

With a hundred thousand files a look takes a third of a second, which is much of what a job costs.
"""

from __future__ import annotations

from typing import NamedTuple

from wtwatch.doors.clock import Instant, elapsed
from wtwatch.job.attempt import Folder, Order
from wtwatch.tree.states import Before

FRESH = 1.0
"""Seconds for which a look counts: a process is there in a tenth of that, unless the machine is very busy."""


class Look(NamedTuple):
    """How a tree stood, ``at`` which moment that had been looked at, and when that ``began``."""

    before: Before
    at: Instant
    began: Instant


def taken(folder: Folder, order: Order) -> Before | None:
    """Return how the tree stood when the attempt was ordered; ``None`` unless that was a moment ago, here.

    Raises :class:`WtwatchError` if that cannot be read.
    """
    seconds = elapsed(order.looked) if order.looked is not None else None
    return folder.before() if seconds is not None and seconds <= FRESH else None
