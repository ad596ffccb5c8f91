"""What a release comes to: which batches it starts, what still runs on the old code, who holds the tree."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from wtwatch.doors.processes import is_alive, serves
from wtwatch.job.others import others_in
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue import due
from wtwatch.queue.due import OpenWork
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import batch_of
from wtwatch.tree import codetree
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.tree.release import Aim
from wtwatch.views.jobwords import caption, ranged
from wtwatch.views.snapshot import Holder
from wtwatch.views.terminal import folded
from wtwatch.words.model import Ended, Job, JobSpec, Running, Sha, ago, counted, lasting, spent
from wtwatch.words.quoting import quoted

_LABEL = 13
"""Columns before the text of a line, besides those that indent it."""

_BY_HAND = "wtwatch exec"


class Starting(NamedTuple):
    """Jobs that run on the new code: a batch, or what stands for one at every move; ``first`` of them."""

    name: str
    jobs: int
    first: JobSpec


class UnderWay(NamedTuple):
    """The batch that runs now: on which code, its jobs that run, and how many wait behind those.

    They run in the run tree, or several in ``lanes``, of which there are so many. ``takes`` are the seconds
    that a job of it took in the middle, where some have ended. ``of`` names the standing order that it was
    made by.
    """

    batch: int
    code_sha: Sha
    running: tuple[Job, ...]
    behind: int
    takes: float | None
    of: str | None = None
    lanes: int = 1


class Outlook(NamedTuple):
    """What a release comes to, seen before it is done.

    ``starts`` wait for it, ``then`` are due already; with ``same`` nothing starts by it, as it changes no
    more than documentation. ``after`` says when the run tree moves: after the "batch" under way, after its
    "job" that runs, or at once, when that was asked to end ("cancel").
    """

    starts: tuple[Starting, ...] = ()
    then: tuple[Starting, ...] = ()
    same: bool = False
    under_way: UnderWay | None = None
    holders: tuple[Holder, ...] = ()
    present: bool = True
    paused: bool = False
    after: str = "batch"


def look(project: Project, to: Aim, after: str, watch: int | None) -> Outlook:
    """Return what a release comes to.

    ``watch`` is the pid of the daemon, which holds nothing up.
    """
    tree, queue = RunTree.of(project), Queue(project.state)
    bases = due.bases(queue.open_work()) - {to.commit}
    concerned = {base for base in bases if concerns_jobs(project, base, to.commit)}
    holders = tuple(_holders(tree, queue, watch))
    with queue.at_one_moment():
        work, waiting = queue.open_work(), queue.waiting()
        under_way = _under_way(queue, work, waiting, project.lanes)
        starts = (*_by_move(queue, work, waiting, concerned), *_standing(queue, concerned))
        return Outlook(
            starts=starts,
            then=tuple(_due(queue, work, waiting)),
            same=bool(bases) and not concerned and not starts,
            under_way=under_way,
            holders=() if under_way and any(map(_has_the_tree, under_way.running)) else holders,
            present=codetree.is_present(tree),
            paused=work.paused,
            after=after,
        )


def _by_move(
    queue: Queue, work: OpenWork, waiting: dict[int, int], concerned: set[Sha]
) -> Iterator[Starting]:
    for batch in due.for_a_move(work):
        if batch.base in concerned and batch.first:
            yield Starting(f"batch {batch.id}", waiting[batch.id], queue.job(batch.first).spec)


def _standing(queue: Queue, concerned: set[Sha]) -> Iterator[Starting]:
    for template in queue.standing():
        if template.base in concerned or template.specs[0].if_stale:  # another input touches these
            yield Starting(f"s{template.id}", len(template.specs), template.specs[0])


def _due(queue: Queue, work: OpenWork, waiting: dict[int, int]) -> Iterator[Starting]:
    ready = [batch for batch in work.batches if batch.due is not None and batch.code_sha is None]
    for batch in sorted(ready, key=lambda batch: batch.due or 0):
        if batch.first:
            yield Starting(f"batch {batch.id}", waiting[batch.id], queue.job(batch.first).spec)


def _has_the_tree(job: Job) -> bool:
    return isinstance(job.state, Running) and job.state.lane is None


def _under_way(queue: Queue, work: OpenWork, waiting: dict[int, int], lanes: int) -> UnderWay | None:
    number = due.under_way(work)
    code_sha = queue.batch_code(number) if number else None
    if number is None or code_sha is None:
        return None
    running, states = queue.living(), [job.state for job in queue.jobs(number)]
    took = [
        (state.ended - state.started).total_seconds()
        for state in states
        if isinstance(state, Ended) and state.started
    ]
    return UnderWay(
        number,
        code_sha,
        tuple(running),
        waiting.get(number, 0),
        statistics.median(took) if took else None,
        f"s{line.standing}" if (line := batch_of(queue.file, number)) and line.standing else None,
        lanes,
    )


def _holders(tree: RunTree, queue: Queue, watch: int | None) -> Iterator[Holder]:
    noted = queue.executes()
    if noted is not None and is_alive(noted.process):
        yield Holder(noted.process.pid, f"{_BY_HAND} {noted.name}", noted.since)
    if codetree.is_present(tree):
        for process in others_in(tree, queue):
            if watch is None or not serves(process.pid, watch):
                yield Holder(process.pid, process.name, process.since)


def lines(seen: Outlook, to: Aim, at: datetime, columns: int | None, new_batch: int | None) -> Iterator[str]:
    """Yield what is to be read of a release below its first line, at the moment ``at``.

    ``new_batch`` is the one that jobs of the batch under way were put into, if that was done.
    """
    for label, text in _told(seen, to, at, new_batch):
        room = columns and columns - _LABEL - 2
        for number, line in enumerate(folded(text, room)):
            yield f"  {'' if number else label:<{_LABEL}}{line}"


def _told(seen: Outlook, to: Aim, at: datetime, new_batch: int | None) -> Iterator[tuple[str, str]]:
    yield from zip(_labels("starts"), map(_jobs, seen.starts), strict=False)
    yield from zip(_labels("then"), map(_jobs, seen.then), strict=False)
    if seen.same:
        yield "starts", "nothing: no more than documentation changes for what waits"
    elif not seen.starts and not seen.then:
        yield "starts", "nothing: no job waits for a move"
    if to.working_copy and (seen.starts or seen.then):
        yield "", "but not yet: no batch starts while the bookmark is on jj's working copy"
    elif seen.paused and (seen.starts or seen.then):
        yield "", "but not yet: the queue is paused (wtwatch queue resume)"
    if seen.under_way:
        yield from zip(
            _labels("still runs"), _still_runs(seen, seen.under_way, to, at, new_batch), strict=False
        )
    for label, holder in zip(_labels("held by"), seen.holders, strict=False):
        yield label, f"{holder.name} (pid {holder.pid}) for {ago(holder.since, at)}"
    if seen.holders:
        pid, by_hand = seen.holders[0].pid, seen.holders[0].name.startswith(_BY_HAND)  # which has its lock
        yield (
            "",
            "it moves when that ends" + ("" if by_hand else f" (sooner: wtwatch sync --ignore-pid {pid})"),
        )
    if not seen.present:
        yield "run tree", "gone: it follows when it is back"


def _labels(first: str) -> Iterator[str]:
    yield first
    while True:
        yield ""


def _jobs(starting: Starting) -> str:
    what = caption(starting.first)
    if starting.first.if_stale:  # which these are, is looked at when the move is made
        return f"{starting.name}, those of {counted(starting.jobs, 'result')} that it touches"
    such = f": {what}" if starting.jobs == 1 else f", such as {what}"
    return f"{starting.name}, {counted(starting.jobs, 'job')}{such}"


def _still_runs(
    seen: Outlook, batch: UnderWay, to: Aim, at: datetime, new_batch: int | None
) -> Iterator[str]:
    jobs = batch.running
    began = [job.state.started for job in jobs if isinstance(job.state, Running)]
    elapsed = (at - min(began)).total_seconds() if began else 0.0
    on = "this very code" if batch.code_sha == to.commit else f"the old code ({batch.code_sha[:10]})"
    if jobs:
        who = f"job {jobs[0].id}" if len(jobs) == 1 else f"jobs {ranged([job.id for job in jobs])}"
        more = f", then {batch.behind} more of batch {batch.batch}" if batch.behind else ""
        yield f"{who} on {on}, for {lasting(elapsed)} so far{more}"
    else:
        yield f"batch {batch.batch} on {on}: {counted(batch.behind, 'job')} to come"
    if batch.code_sha == to.commit:
        return
    where = f"batch {new_batch}" if new_batch else "a new batch"
    left = f"the {counted(batch.behind, 'job')} left" if batch.behind else ""
    anew = batch.of in [one.name for one in seen.starts]  # its next batch takes the place of what is left
    if seen.after == "batch":
        about = "" if seen.paused else _about(batch, elapsed)
        yield f"the run tree moves after that{about}"
        rev = f" {quoted(to.asked)}" if to.asked else ""
        yield f"sooner: wtwatch release --after job{rev}   (or cancel)"
    elif seen.after == "cancel" and jobs:
        along = f", with {left}" if left else ""
        stopped = "it is stopped, and runs" if len(jobs) == 1 else "they are stopped, and run"
        yield f"{stopped} again on the new code in {where}{along}"
    else:
        goes = f"; {left} run on the new code in {where}" if left else ""
        goes = f"; {left} make way for the new batch of {batch.of}" if left and anew else goes
        then = "now" if not jobs else "after it" if len(jobs) == 1 else "after them"
        yield f"the run tree moves {then}{goes}"


def _about(batch: UnderWay, elapsed: float) -> str:
    if batch.takes is None:
        return ""
    left = max(batch.takes - elapsed, 0.0) * bool(batch.running) + batch.takes * batch.behind / batch.lanes
    return f", in about {spent(left)}"
