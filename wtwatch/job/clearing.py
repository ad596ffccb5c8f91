"""Clearing up behind a job that ended: a step of its own, which never holds back how the job ended."""

from __future__ import annotations

from wtwatch.doors.processes import describe
from wtwatch.job import back, leftovers, lifecycle, recording, unsaved
from wtwatch.job.attempt import Folder, Order
from wtwatch.job.others import others_in
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import nested, save
from wtwatch.tree.states import After
from wtwatch.words.errors import Busy
from wtwatch.words.model import Ended, Job, Outcome

GOOD = (Outcome.SUCCEEDED, Outcome.UNCHANGED)
"""Ends behind which nothing is taken back."""


def clear_up(tree: RunTree, queue: Queue) -> None:
    """Bring the tree back to how it stood before the attempt that ended last, if that is still to be done.

    Code that its results name is kept. An attempt that succeeded leaves the tree as it is. With the tree's
    lock held by the caller. Raises :class:`WtwatchError` or :class:`OSError` for what keeps it from being
    done; it is then to be done the next time, and nothing moves or starts before.
    """
    pending = queue.uncleared()
    if pending is None:
        return
    job = queue.find(pending.job)
    if job is not None and job.attempt == pending.attempt and isinstance(job.state, Ended):
        _clear_up_behind(tree, queue, job, job.state)
    queue.note_cleared()


def _clear_up_behind(tree: RunTree, queue: Queue, job: Job, over: Ended) -> None:
    folder = Folder.of(tree.project.state, job.id, job.attempt)
    order = folder.order()
    if order is None:
        return
    save.keep_named(tree, order.base)
    if over.outcome in GOOD and not folder.was_ignored():
        _end_success(tree, queue, job, order, folder)
        return
    if over.outcome not in GOOD:
        _end_processes(job, order, folder)
    after = _clear_away(tree, queue, job, order, folder)
    nested.take_in(tree, [dataset.path for dataset in after.datasets])


def clear_lane(lane: RunTree, queue: Queue, job: Job, over: Ended) -> None:
    """Bring a lane back to where git alone says how it stands, behind the attempt that ended there.

    Its result, if it has one, is in the run tree already; what else it committed is kept by a ref, and
    what it left moved out, also by one that succeeded: nobody looks for it in a lane. With the lane's lock
    held by the caller; raises what :func:`clear_up` does.
    """
    folder = Folder.of(lane.project.state, job.id, job.attempt)
    order = folder.order()
    good = over.outcome in GOOD and not folder.was_ignored()
    if order is None or (good and folder.plan() is not None):  # all that it made was saved
        return
    if over.outcome not in GOOD:
        _end_processes(job, order, folder)
        kept = back.keep_commits(lane, order.base, folder.path.name)
        if kept:
            queue.add_detail(job.id, kept)
    _clear_away(lane, queue, job, order, folder)


def _end_processes(job: Job, order: Order, folder: Folder) -> None:
    """Have what an attempt left running end; raises :class:`Busy` until it has."""
    still = lifecycle.end_what_is_left(folder, order.uuid)
    if still:
        pids = ", ".join(map(str, still))
        raise Busy(
            f"What job {job.id} left running is told to end before the run tree is cleared up (pid {pids}).",
            "It goes on by itself.",
            tuple(filter(None, map(describe, still))),
        )


def _clear_away(tree: RunTree, queue: Queue, job: Job, order: Order, folder: Folder) -> After:
    """Move out what an attempt left, and say so; return how it had left the tree."""
    after = folder.after() or After.of(tree.path, excludes_env(tree))
    demanded = lifecycle.demands(tree, order.spec, order.code_sha)._replace(allowed=order.allowed)
    left = leftovers.clear(tree, folder, demanded, after, lambda tree, ours: others_in(tree, queue, ours))
    details = [*left.notes, *([f"what it left is in {left.place}"] if left.place else [])]
    if details:
        queue.add_detail(job.id, "; ".join(details))
    return after


def _end_success(tree: RunTree, queue: Queue, job: Job, order: Order, folder: Folder) -> None:
    """See to it that what a job saved is recorded and safe, and that what it did not save is named."""
    before, after = folder.before(), folder.after()
    if before is not None and after is not None and not order.spec.plain:
        recording.record(order, before, after)  # mostly done by its process, unless that was cut off
    if after is not None:
        nested.take_in(tree, [dataset.path for dataset in after.datasets])
    unsaved.note(queue, job, order, folder)
