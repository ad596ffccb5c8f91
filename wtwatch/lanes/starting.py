"""Starting jobs of a batch in lanes, as many as there are lanes and jobs that do not meet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from wtwatch.doors.files import held
from wtwatch.job import lifecycle, starting
from wtwatch.job.attempt import Folder
from wtwatch.job.others import others_in
from wtwatch.lanes import making, moving, notes
from wtwatch.lanes.notes import Held, Lease
from wtwatch.lanes.turn import Turn
from wtwatch.project.tree import RunTree
from wtwatch.queue import candidates
from wtwatch.queue.jobs import Queue
from wtwatch.setup.layout import stands
from wtwatch.stale.turn import spared
from wtwatch.tree import carried, codetree, environment, save
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Job, Process, Sha


class Begun(NamedTuple):
    """What was started, what all jobs wait for, whether there is more to do at once, who is in the way."""

    started: tuple[Job, ...] = ()
    waits: Held | None = None
    more: bool = False
    busy: tuple[Process, ...] = ()


def start(turn: Turn, code_sha: Sha) -> Begun:
    """Start jobs in lanes, with the lock of the run tree held by the caller, whose code is at ``code_sha``.

    One lane at most is made, so that jobs run in those that are there while more are made. A lane that cannot
    be used is passed over, as its notes say; where no job runs for that, the first reason is returned.
    """
    started: list[Job] = []
    troubles: list[Held] = []
    busy: list[Process] = []
    more = False
    made: bool | None = None  # whether one was, where that was tried
    for lane in _free(turn.tree):
        job = _next(turn.tree, turn.queue)
        if job is None:
            break
        if over := spared(turn.tree, turn.queue, job, code_sha):
            return Begun((*started, over), more=True)
        lacks = bool(making.lacking(turn.tree, lane).missing)
        if lacks and made:
            return Begun(tuple(started), more=True)
        if lacks and made is False:  # as on a full disk: each has its turn, the one that waits longest first
            more = more or notes.held_since(lane) == 0
            continue
        made = False if lacks else made
        try:
            notes.begin(lane)
            with held(lane.lock, what=f"lane {lane.lane}") as lock:
                base = make_ready(turn, lane, code_sha, job.batch)
                started.append(_start(turn, lane, job, starting.Ready(code_sha, base, lock)))
            made = True if lacks else made
            notes.note_held(lane, None)
        except (WtwatchError, OSError) as error:
            trouble = notes.trouble(lane, error, f"Lane {lane.lane} cannot be used. ")
            with suppress(OSError):  # the disk may be full
                notes.note_held(lane, trouble)
            troubles.append(trouble)
            busy += error.processes if isinstance(error, Busy) else ()
    if not troubles or started or more or turn.queue.living():
        return Begun(tuple(started), more=more)
    first = next((one for one in troubles if one.by is None), troubles[0])
    return Begun((), first, busy=tuple(busy) if first.by else ())


def go_on(turn: Turn) -> tuple[Job, ...]:
    """Start more jobs of the batch under way while results wait for the run tree; return them running.

    With the lock of the run tree held by the caller, and code there as the batch has it.
    """
    batch = turn.queue.next_batch() if turn.options.start_jobs and turn.tree.project.in_lanes else None
    code_sha = turn.queue.batch_code(batch) if batch is not None else None
    pointer = save.pointer_of(turn.tree)
    stands = (pointer.recorded, pointer.branch, pointer.cut_off) == (code_sha, turn.tree.branch, False)
    return start(turn, code_sha).started if code_sha is not None and stands else ()


def _free(tree: RunTree) -> list[RunTree]:
    lanes = (RunTree.of_lane(tree.project, number) for number in range(1, tree.project.in_lanes + 1))
    free = (lane for lane in lanes if notes.lease(lane) is None)
    return sorted(free, key=lambda lane: 0 if stands(lane.path) else notes.held_since(lane))


def make_ready(turn: Turn, lane: RunTree, code_sha: Sha, batch: int) -> Sha:
    """Bring a lane to where the run tree is, with its environment right; return that commit.

    The environment is looked at closely with its first job of a ``batch``.
    """
    busy = others_in(lane, turn.queue)
    if busy:
        first = busy[0]
        raise Busy(
            f"{first.name} (pid {first.pid}) works in {lane.path}.", "Wait for it to end.", tuple(busy)
        )
    base = starting.base_of(turn.tree, code_sha).head
    _bring_to(turn.tree, lane, base)
    _set_up(lane, code_sha, batch, turn.options.stop)
    return base


def _start(turn: Turn, lane: RunTree, job: Job, ready: starting.Ready) -> Job:
    """Start a job in a lane that is ready; return it running."""
    demanded = lifecycle.demands(
        lane, job.spec, ready.code_sha, starting.plain_outputs(turn.tree, turn.queue, job)
    )
    if notes.held(lane) and (problems := starting.problems(lane, demanded)):
        raise WtwatchError(problems[0], "Then it goes on by itself.")
    turn.queue.note_used(ready.base)
    notes.note_lease(lane, Lease(job.id, job.attempt))
    try:
        running = lifecycle.start(lane, job, demanded, ready.base, ready.lock)
    except WtwatchError:
        notes.note_lease(lane, None)
        raise
    return starting.tell(lane, turn.queue, job, running)


def _bring_to(tree: RunTree, lane: RunTree, base: Sha) -> None:
    """Have a lane whole, and at a commit of the superdataset with all that this names."""
    moving.recover(lane)
    if stands(lane.path):
        moving.move(lane, base)
    if making.make(tree, lane):
        moving.move(lane, base)  # where the run tree's own datasets were elsewhere
    if lane.project.carry:
        carried.refresh(lane)


def _set_up(lane: RunTree, code_sha: Sha, batch: int, stop: Callable[[], bool]) -> None:
    """Have the environment of a lane right for a commit of code."""
    wanted = environment.requirements(lane, codetree.tops(lane, code_sha))
    verdict = environment.noted(lane, wanted)
    if not verdict.ready or notes.batch(lane) != batch:
        verdict = environment.look(lane, wanted, batch=True, stop=stop)
    if not verdict.ready:
        verdict = environment.set_up(lane, wanted, verdict, stop)
    if not verdict.ready:
        raise WtwatchError(f"Its environment is {verdict.state.value}: {verdict.detail}.", "Mend it there.")
    if notes.batch(lane) != batch:
        notes.note_batch(lane, batch)


def _next(tree: RunTree, queue: Queue) -> Job | None:
    """Return the first job of the batch under way, or due, that may start beside those that live."""
    folders = {job.id: Folder.of(tree.project.state, job.id, job.attempt) for job in queue.living()}
    over = {job for job, folder in folders.items() if folder.is_over()}
    chosen = candidates.choice(queue, tree.path, candidates.shared(tree.project), over).job
    return None if chosen is None else queue.find(chosen)
