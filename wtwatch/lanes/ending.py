"""The end of jobs in lanes: how each fares, its result into the run tree, its lane cleared up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from wtwatch.doors.files import held
from wtwatch.doors.repo import Repo
from wtwatch.job import clearing, lifecycle
from wtwatch.job.attempt import Folder, Result
from wtwatch.job.lifecycle import NotBegun
from wtwatch.job.others import others_in
from wtwatch.job.steps import Draft
from wtwatch.lanes import laying, making, moving, newborn, notes
from wtwatch.lanes.laying import Laid, Met
from wtwatch.lanes.notes import Held, Lease
from wtwatch.lanes.turn import Turn
from wtwatch.project import owner
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.tree import save
from wtwatch.tree.states import Before
from wtwatch.words.errors import Busy, Locked, WtwatchError
from wtwatch.words.model import Ended, Job, Outcome, Process, Running, now

GOOD = (Outcome.SUCCEEDED, Outcome.UNCHANGED)
"""Ends of which the result goes into the run tree."""

ENDS = 1.0
"""Seconds that the process of a job that is over is waited for, which holds its lane for a moment."""


class Finished(NamedTuple):
    """A job whose command has ended well in its lane, and whose result is not in the run tree yet."""

    job: Job
    lane: RunTree
    over: Ended


class Waits(NamedTuple):
    """What keeps results from the run tree: why, the way on, and who is busy there."""

    reason: str
    hint: str | None
    busy: tuple[Process, ...] = ()


def take_up(turn: Turn) -> None:
    """Tell the queue of jobs in lanes that were started by a daemon which could not tell it: it died, say."""
    for lane in notes.known(turn.tree.project):
        given = notes.lease(lane)
        job = turn.queue.find(given.job) if given else None
        if given is None or job is None or job.attempt != given.attempt or job.word != "waiting":
            continue
        running = lifecycle.begun(lane, job)
        if running is not None and running.lane == lane.lane:
            turn.queue.begin(job.id, running)


def look(turn: Turn) -> list[Finished]:
    """Look at all jobs in lanes, and return those that ended well; all other ends are recorded.

    One that is to be cancelled is told to end.
    """
    found = []
    for job in turn.queue.living():
        if not isinstance(job.state, Running) or job.state.lane is None:
            continue
        lane = RunTree.of_lane(turn.tree.project, job.state.lane)
        over = _end_of(lane, job, job.state)
        if over is None:
            if job.cancel_requested:
                lifecycle.stop(lane, job)
        elif isinstance(over, NotBegun):
            _put_back(turn, lane, job, over.reason)
            notes.note_held(lane, Held(over.reason, "Mend what is named; then it goes on by itself."))
        elif over.outcome in GOOD:
            found.append(Finished(job, lane, over))
        else:
            turn.record(job, over)
    return found


def _end_of(lane: RunTree, job: Job, running: Running) -> Ended | NotBegun | None:
    """Return how a job ended, ``None`` while it runs; one whose lane somebody took away was cut off."""
    try:
        return lifecycle.end_of(lane, job, job.cancel_requested)
    except WtwatchError:
        if lane.path.is_dir():
            raise
    why = f"its lane {lane.path} was taken away while it ran"
    return Ended(running.started, now(), running.code_sha, Outcome.INTERRUPTED, detail=why, lane=running.lane)


def _put_back(turn: Turn, lane: RunTree, job: Job, why: str) -> None:
    """Let a job wait again, as if it had not run."""
    turn.queue.put_back(job.id, why)
    turn.again(job, why)
    lifecycle.forget(lane, job)
    if notes.lease(lane) == Lease(job.id, job.attempt):
        notes.note_lease(lane, None)


def free_lanes(turn: Turn, finished: Sequence[Finished]) -> None:
    """Free the lanes of jobs that ended well: refs keep what they committed, however long that has to wait.

    A lane of which that cannot be done now stays as it is until the next look.
    """
    for one in finished:
        if notes.lease(one.lane) != Lease(one.job.id, one.job.attempt):
            continue
        with suppress(WtwatchError, OSError), held(one.lane.lock, wait=ENDS, what=f"lane {one.lane.lane}"):
            laying.keep(turn.tree, _result(turn, one))
            _publish(turn, one)
            if (one.lane.path / ".git").exists():
                clearing.clear_lane(one.lane, turn.queue, one.job, one.over)
                newborn.move_aside(one.lane, _name(one.job))
            notes.note_held(one.lane, None)
            notes.note_lease(one.lane, None)


def _publish(turn: Turn, one: Finished) -> None:
    """Say in the attempt's folder how it ended, where its process was killed before it did.

    Else that would be looked up in its lane, where the next job may be by then.
    """
    folder = Folder.of(turn.tree.project.state, one.job.id, one.job.attempt)
    if not folder.is_over():
        Draft(folder).publish(Result(one.over.exit or 0, one.over.commits, one.over.ended))


def _name(job: Job) -> str:
    return f"{job.id}.{job.attempt}"


def _result(turn: Turn, one: Finished) -> laying.Result:
    folder = Folder.of(turn.tree.project.state, one.job.id, one.job.attempt)
    order, before = folder.order(), folder.before() or Before(())
    assert order is not None, "it was started by it"
    demanded = lifecycle.demands(turn.tree, order.spec, order.code_sha)
    made = newborn.waiting(turn.tree, folder.path.name)
    return laying.Result(folder, order, before, demanded.spec.inputs, one.over.commits, tuple(made))


def bring_home(turn: Turn, finished: Sequence[Finished]) -> Waits | None:
    """Bring results into the run tree, one by one, with its lock held by the caller, and record those ends.

    Returns what they wait for, if anything: somebody who is busy there, or what is in the way.
    """
    tree = turn.tree
    if not finished:
        return None
    branch = Repo(tree.path).branch()
    if branch != tree.branch:
        problem = save.off_branch(tree.path, tree.branch, branch)
        return Waits(problem.message, problem.hint)
    busy = others_in(tree, turn.queue, turn.options.ignore)
    if busy:
        first = busy[0]
        return Waits(
            f"{first.name} (pid {first.pid}) works in the run tree, so results of jobs in lanes wait.",
            f"It goes on by itself when that ends; `wtwatch sync --ignore-pid {first.pid}` does not wait.",
            tuple(busy),
        )
    freed = (one for one in finished if notes.lease(one.lane) != Lease(one.job.id, one.job.attempt))
    for one in sorted(freed, key=lambda one: one.over.ended):
        owner.check(tree.project)
        try:
            _bring_home(turn, one)
        except WtwatchError as error:
            said = error.message.rstrip(".")
            return Waits(f"The result of job {one.job.id} waits for the run tree: {said}.", error.hint)
    return None


def _bring_home(turn: Turn, one: Finished) -> None:
    result = _result(turn, one)
    laying.keep(turn.tree, result)
    laid = laying.lay(turn.tree, result, lambda: nested.complete(turn.tree.project))
    if isinstance(laid, Laid):
        turn.record(one.job, _ended(one.over, commits=laid.commits))
    elif isinstance(laid, Met):
        paths = ", ".join(laid.paths[:3])
        newborn.leave(turn.tree, _name(one.job))
        _put_back(turn, one.lane, one.job, f"{paths} changed meanwhile, which it reads or writes")
    else:
        left = newborn.leave(turn.tree, _name(one.job))
        detail = "; ".join([laid.reason, *([f"what it made is in {left}"] if left else [])])
        turn.record(one.job, _ended(one.over, outcome=Outcome.FAILED, commits=(), detail=detail))


def _ended(over: Ended, **changes: object) -> Ended:
    facts: dict[str, Any] = {name: getattr(over, name) for name in Ended.__match_args__}
    return Ended(**(facts | changes))


def clear_up(turn: Turn) -> Waits | None:
    """Clear up the lanes of jobs that are over, and remove those that are not wanted any more.

    Returns what keeps one from that, which holds nothing else up.
    """
    waits = None
    for lane in notes.known(turn.tree.project):
        try:
            _clear_up(turn.queue, lane)
            if lane.lane and lane.lane > turn.tree.project.in_lanes and notes.lease(lane) is None:
                making.remove(lane)
        except (WtwatchError, OSError) as error:
            found = notes.trouble(lane, error)
            if not (_only_ends(error) or isinstance(error, Locked)):
                with suppress(OSError):  # the disk may be full
                    notes.note_held(lane, found)
            waits = waits or Waits(
                found.reason, found.hint, error.processes if isinstance(error, Busy) else ()
            )
    return waits


def _only_ends(error: WtwatchError | OSError) -> bool:
    """Return whether a lane is held by the process of a job that is just over, which does so for a moment."""
    busy = error.processes if isinstance(error, Busy) else ()
    return any(" -m wtwatch.job." in one.command for one in busy)


def _clear_up(queue: Queue, lane: RunTree) -> None:
    given = notes.lease(lane)
    if given is None:
        return
    job = queue.find(given.job)
    if job is not None and job.attempt == given.attempt and isinstance(job.state, Running):
        return
    if job is not None and job.word == "waiting" and lifecycle.begun(lane, job):
        return
    with held(lane.lock, what=f"lane {lane.lane}"):
        if (lane.path / ".git").exists():
            moving.recover(lane)
            _clear_behind(queue, lane, given, job)
        notes.note_lease(lane, None)


def _clear_behind(queue: Queue, lane: RunTree, given: Lease, job: Job | None) -> None:
    if job is None or job.attempt != given.attempt or not isinstance(job.state, Ended):
        return
    clearing.clear_lane(lane, queue, job, job.state)
    if newborn.move_aside(lane, _name(job)):
        queue.add_detail(job.id, f"datasets that it made are in {newborn.leave(lane, _name(job))}")
    with suppress(FileNotFoundError):
        (lane.state / "held").unlink()
