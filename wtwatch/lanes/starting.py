"""Starting jobs of a batch in lanes, as many as there are lanes and jobs that do not meet."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import NamedTuple

from wtwatch.doors.files import held
from wtwatch.job import lifecycle, starting
from wtwatch.job.attempt import Folder
from wtwatch.job.lifecycle import Ground
from wtwatch.lanes import notes, readying
from wtwatch.lanes.notes import Held, Lease
from wtwatch.lanes.turn import Turn
from wtwatch.project import owner
from wtwatch.project.tree import RunTree
from wtwatch.queue import candidates
from wtwatch.queue.jobs import Queue
from wtwatch.setup.layout import stands
from wtwatch.stale.turn import spared
from wtwatch.words.errors import Busy, Locked, WtwatchError
from wtwatch.words.model import Job, Process, Sha

LOCKED = 2.0
"""Seconds until the next look at a lane of which somebody has the lock."""


class Begun(NamedTuple):
    """What was started, what all jobs wait for, in how many seconds to look again, who is in the way."""

    started: tuple[Job, ...] = ()
    waits: Held | None = None
    again_in: float | None = None
    busy: tuple[Process, ...] = ()


def start(turn: Turn, code_sha: Sha) -> Begun:
    """Start jobs in lanes, with the lock of the run tree held by the caller, whose code is at ``code_sha``.

    Or without it, where the ``turn`` says on what ground.

    A lane that lacks what takes long is made beside the tick, and jobs start in those that are ready. One
    that cannot be used is passed over, as its notes say; where no job runs for that, the first reason is
    returned.
    """
    started: list[Job] = []
    troubles: list[Held] = []
    busy: list[Process] = []
    soon: list[float | None] = []
    for lane in _free(turn.tree):
        owner.check(turn.tree.project)
        job = _next(turn.tree, turn.queue)
        if job is None or (turn.ground is not None and job.batch != turn.ground.batch):
            break
        if over := spared(turn.tree, turn.queue, job, code_sha):
            return Begun((*started, over), again_in=0.0)
        try:
            running = _use(turn, lane, job, code_sha)
            if running is not None:
                started.append(running)
                notes.note_held(lane, None)
            elif found := notes.held(lane):
                troubles.append(found)
            else:
                soon.append(turn.beside.again_in)
        except Locked:  # by who makes it, or by the process of a job that is over and about to end
            soon.append(LOCKED)
        except (WtwatchError, OSError) as error:
            trouble = readying.trouble(lane, error)
            with suppress(OSError):  # the disk may be full
                notes.note_held(lane, trouble)
            troubles.append(trouble)
            busy += error.processes if isinstance(error, Busy) else ()
    again_in = min((seconds for seconds in soon if seconds is not None), default=None)
    if not troubles or started or soon or turn.queue.living():
        return Begun(tuple(started), again_in=again_in)
    first = next((one for one in troubles if one.by is None), troubles[0])
    return Begun((), first, busy=tuple(busy) if first.by else ())


def go_on(turn: Turn, begin: bool = False) -> Begun:
    """Start more jobs of the batch under way, or ``begin`` the one that is due, where code stands for it.

    With the lock of the run tree held by the caller: while results wait for it, or when a lane was made.
    """
    batch = turn.queue.next_batch() if turn.options.start_jobs and turn.tree.project.in_lanes else None
    code_sha = turn.queue.batch_code(batch) if batch is not None else None
    if begin and batch is not None and code_sha is None:
        code_sha = starting.code_of(turn.tree)
    footing = starting.footing(turn.tree) if code_sha is not None else None
    return start(turn, code_sha) if code_sha and footing and footing[1] == code_sha else Begun()


def _use(turn: Turn, lane: RunTree, job: Job, code_sha: Sha) -> Job | None:
    """Start a job in a lane; ``None`` if that is not ready: it is made beside, or will be."""
    name = f"lane {lane.lane}"
    if not (stands(lane.path) or turn.beside.takes(name)):
        return None
    notes.begin(lane)
    with ExitStack() as stack:
        lock = stack.enter_context(held(lane.lock, what=name))
        stand = readying.bring(turn, lane, code_sha, job.batch)
        if stand.is_set_up:
            return _start(turn, lane, job, starting.Ready(code_sha, stand.wish.base, lock))
        if turn.beside.takes(name):
            turn.beside.take(name, readying.beside(turn.tree, lane, stand, stack))
    return None


def _free(tree: RunTree) -> list[RunTree]:
    lanes = (RunTree.of_lane(tree.project, number) for number in range(1, tree.project.in_lanes + 1))
    free = (lane for lane in lanes if notes.lease(lane) is None)
    return sorted(free, key=lambda lane: 0 if stands(lane.path) else notes.held_since(lane))


def _start(turn: Turn, lane: RunTree, job: Job, ready: starting.Ready) -> Job:
    """Start a job in a lane that is ready; return it running."""
    demanded = lifecycle.demands(
        lane, job.spec, ready.code_sha, starting.plain_outputs(turn.tree, turn.queue, job)
    )
    look = None
    if notes.held(lane):
        look, problems = starting.looked_at(lane, demanded)
        if problems:
            raise WtwatchError(problems[0], "Then it goes on by itself.")
    turn.queue.note_used(ready.base)
    notes.note_lease(lane, Lease(job.id, job.attempt))
    try:
        running = lifecycle.start(lane, job, demanded, Ground(ready.base, ready.lock, look))
    except WtwatchError:
        notes.note_lease(lane, None)
        raise
    return starting.tell(lane, turn.queue, job, running)


def _next(tree: RunTree, queue: Queue) -> Job | None:
    """Return the first job of the batch under way, or due, that may start beside those that live."""
    folders = {job.id: Folder.of(tree.project.state, job.id, job.attempt) for job in queue.living()}
    over = {job for job, folder in folders.items() if folder.is_over()}
    chosen = candidates.choice(queue, tree.path, candidates.shared(tree.project), over).job
    return None if chosen is None else queue.find(chosen)
