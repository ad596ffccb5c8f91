"""A lane made ready for its next job: at once what takes a moment, beside the tick what may take minutes.

A tick decides with the run tree's lock, takes the lane's, and notes that the lane is made. That lock goes to
whoever makes it, and is free again when it is made, or whoever made it was killed: then it is made anew. By
then the run tree may be elsewhere; each start brings the lane to where that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from wtwatch.doors.files import held
from wtwatch.job import starting
from wtwatch.job.others import others_in
from wtwatch.lanes import making, moving, notes
from wtwatch.lanes.turn import Turn
from wtwatch.project.tree import RunTree
from wtwatch.setup.layout import Layout, stands
from wtwatch.tree import carried, codetree, environment
from wtwatch.words.errors import Busy, Locked, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.tick import Work

PATIENCE = 30.0
"""Seconds that the making of a lane waits for the run tree, where it needs that to itself for a while."""


class Wish(NamedTuple):
    """Where a lane is to be: at a commit of the superdataset, its environment right for one of code.

    The environment is looked at closely with its first job of a ``batch``.
    """

    base: Sha
    code_sha: Sha
    batch: int


class Stand(NamedTuple):
    """What a lane lacks to be as it is wished: worktrees, and whether its environment is right."""

    wish: Wish
    lacks: Layout
    is_set_up: bool = False


def bring(turn: Turn, lane: RunTree, code_sha: Sha, batch: int) -> Stand:
    """Bring a lane to where jobs start, with its lock held by the caller; return what it still lacks.

    That is where the run tree is, with its lock held, too, unless the ``turn`` says otherwise.
    Raises :class:`WtwatchError` while somebody works in it, or where somebody edited it.
    """
    busy = others_in(lane, turn.queue)
    if busy:
        first = busy[0]
        raise Busy(
            f"{first.name} (pid {first.pid}) works in {lane.path}.", "Wait for it to end.", tuple(busy)
        )
    base = turn.ground.base if turn.ground else starting.base_of(turn.tree, code_sha).head
    wish = Wish(base, code_sha, batch)
    moving.recover(lane)
    if stands(lane.path):
        moving.move(lane, wish.base)
    lacks = making.lacking(turn.tree, lane, wish.base)
    if lacks.missing:
        return Stand(wish, lacks)
    if lane.project.carry:
        carried.refresh(lane)
    return Stand(wish, lacks, _environment(lane, wish, turn.options.stop).ready)


def complete(tree: RunTree, lane: RunTree, stand: Stand, stop: Callable[[], bool] = lambda: False) -> None:
    """Make what a lane lacks, with its lock held by the caller; takes as long as that takes.

    Raises :class:`WtwatchError` where it cannot be, and when ``stop`` says so.
    """
    making.make(lane, stand.lacks, stop, lambda: alone(tree, stop))
    if lane.project.carry:
        carried.refresh(lane)
    wanted = environment.requirements(lane, codetree.tops(lane, stand.wish.code_sha))
    verdict = _environment(lane, stand.wish, stop)
    if not verdict.ready:
        verdict = environment.set_up(lane, wanted, verdict, stop)
    if not verdict.ready:
        raise WtwatchError(f"Its environment is {verdict.state.value}: {verdict.detail}.", "Mend it there.")
    notes.note_batch(lane, stand.wish.batch)


def beside(tree: RunTree, lane: RunTree, stand: Stand, lock: ExitStack) -> Work:
    """Return :func:`complete` as work for later, which is noted now; it takes over the ``lock`` of the lane.

    What keeps it from being done is noted for the next tick.
    """
    notes.note_making(lane)
    taken_over = lock.pop_all()

    def work(stop: Callable[[], bool]) -> bool:
        def stops() -> bool:
            return stop() or not notes.is_to_be_made(lane)

        with taken_over:
            try:
                complete(tree, lane, stand, stops)
                notes.note_held(lane, None)
            except (WtwatchError, OSError) as error:
                if not stops():
                    with suppress(OSError):  # the disk may be full
                        notes.note_held(lane, trouble(lane, error))
                return False
            finally:
                notes.end_making(lane)
        return True

    return work


def trouble(lane: RunTree, error: WtwatchError | OSError) -> notes.Held:
    """Return an error as what keeps a lane from being used."""
    return notes.trouble(lane, error, f"Lane {lane.lane} cannot be used. ")


def _environment(lane: RunTree, wish: Wish, stop: Callable[[], bool]) -> environment.Verdict:
    """Return how the environment of a lane is; it is looked at closely once a batch."""
    wanted = environment.requirements(lane, codetree.tops(lane, wish.code_sha))
    verdict = environment.noted(lane, wanted)
    if not verdict.ready or notes.batch(lane) != wish.batch:
        verdict = environment.look(lane, wanted, batch=True, stop=stop)
        if verdict.ready:
            notes.note_batch(lane, wish.batch)
    return verdict


@contextmanager
def alone(tree: RunTree, stop: Callable[[], bool]) -> Iterator[None]:
    """Have the run tree to itself, as soon as nobody else has; raises :class:`Locked` if that takes long."""
    until = time.monotonic() + PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held(tree.lock))
                break
            except Locked:
                if stop() or time.monotonic() > until:
                    raise
            time.sleep(0.1)
        yield
