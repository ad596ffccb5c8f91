"""Which job starts next beside those that live, and why others wait. Pure, as :mod:`wtwatch.queue.due` is.

Jobs start in the order of their batch, with two exceptions. One that meets a living job, or one that waits
before it, waits for that, and others overtake it: so of jobs that meet, the earlier runs first. One for which
this host has not enough left is overtaken only by those that leave it what it asks for: so it waits for those
that live when it first waits for room alone, and for none after it that start later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wtwatch.doors.capacity import Capacity
from wtwatch.queue import sharing
from wtwatch.queue.meeting import Claims, Touches
from wtwatch.words.resources import Resources

MOST = 500
"""Waiting jobs that are looked at in one go."""


class Candidate(NamedTuple):
    """A job that waits or lives: its number, what it asks for, what it touches.

    ``over``: only its result waits, so it takes nothing any more.
    """

    job: int
    want: Resources
    touches: Touches
    over: bool = False


class Choice(NamedTuple):
    """Which job is to start now, if any, and why those before it wait, in words."""

    job: int | None
    reasons: dict[int, str]


def choose(waiting: Iterable[Candidate], living: Sequence[Candidate], have: Capacity | None) -> Choice:
    """Return which of the jobs that wait, in the order of their batch, is to start beside the living ones.

    None of those after the first :data:`MOST` is asked for. ``have`` is ``None`` where somebody else shares
    out what there is, as a cluster does.
    """
    alive, ahead = Claims(), Claims()
    for one in living:
        alive.add(one.job, one.touches)
    at_work = [one for one in living if not one.over]
    taken = {one.job: one.want for one in at_work}
    room = _Room(have, at_work) if have else None
    reasons: dict[int, str] = {}
    for _, one in zip(range(MOST), waiting, strict=False):
        met = alive.met_by(one.touches) or ahead.met_by(one.touches)
        if met is not None:
            reasons[one.job] = f"waits for job {met.job}, {met.why}"
        elif have and room and (name := sharing.short_of(have, taken, one.want)):
            reasons[one.job] = sharing.waits_for(have, taken, one.want, name)
            room.keep(one)
        elif room and (first := room.taken_from(one)) is not None:
            reasons[one.job] = f"lets job {first} go first, which waits for what it would take"
        else:
            return Choice(one.job, reasons)
        ahead.add(one.job, one.touches)
    return Choice(None, reasons)


class _Room:
    """What jobs may take that come after some for which not enough is left, so that these wait no longer.

    Each of those has to fit beside all that overtook it, once the others that live have ended.
    """

    def __init__(self, have: Capacity, living: Sequence[Candidate]) -> None:
        self._have, self._living = have, living
        self._room: dict[int, tuple[int, int]] = {}  # by place in a share: how much, for which job's sake

    def keep(self, one: Candidate) -> None:
        """Keep room for a job that waits."""
        overtook = {other.job: other.want for other in self._living if other.job > one.job}
        left = sharing.left(self._have, overtook)
        for place, asked in enumerate(sharing.share_of(one.want)):
            rest = left[place] - asked
            if asked and rest < self._room.get(place, (rest + 1, 0))[0]:
                self._room[place] = rest, one.job

    def taken_from(self, one: Candidate) -> int | None:
        """Return a job for which room is kept that this one would take."""
        share = sharing.share_of(one.want)
        return next((job for place, (rest, job) in self._room.items() if 0 < share[place] > rest), None)
