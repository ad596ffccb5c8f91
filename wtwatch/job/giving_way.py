"""Whether the batch under way gives way to newer code before its end, as the setting ``on_move`` has it.

What it has left goes on as a batch of its own, which takes the code of when it starts: each batch has one.
A move counts here as it does for jobs that wait: once the bookmark has been still for ``settle`` seconds, and
if it changes anything that jobs use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wtwatch.job import lifecycle
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import sync
from wtwatch.tree.codetree import Facts
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.words.model import Sha

STAYS = "after-batch"
"""The value of ``on_move`` by which a batch keeps its code to its end."""

STOPS = "cancel"
"""The value by which its jobs that run are stopped."""


class GaveWay(NamedTuple):
    """A batch that gave way, and the one in which what it had left goes on, on newer code."""

    batch: int
    into: int


def give_way(tree: RunTree, queue: Queue, tip: Sha | None, look: Callable[[], Facts]) -> GaveWay | None:
    """Have the batch under way give way to the tip, and return that it did; else ``None``.

    It does not where the run tree could not follow: no job is stopped for a move that cannot be made. What is
    cheap is asked first; ``look`` returns how code stands.
    """
    batch = concerned(tree.project, queue, tip)
    if batch is None or tip is None:
        return None
    code_sha = queue.batch_code(batch)
    if code_sha in (None, tip) or not concerns_jobs(tree.project, code_sha, tip):
        return None
    facts = look()
    if facts.tip != tip or facts.working_copy or not facts.present:
        return None
    if isinstance(sync.next_step(tree, facts), sync.Blocked):
        return None
    passed = queue.pass_on(batch, stop=tree.project.on_move == STOPS)
    for job in passed.stopped:
        lifecycle.stop(tree, job)
    return GaveWay(batch, passed.batch) if passed.batch is not None else None


def concerned(project: Project, queue: Queue, tip: Sha | None) -> int | None:
    """Return the batch that would give way to a tip that is one to go by, and has something left for it."""
    if project.on_move == STAYS or tip is None:
        return None
    batch = queue.under_way()
    if batch is None or queue.paused() or queue.awaits_end(tip):
        return None
    if not queue.is_settled(tip, project.settle):
        return None
    stops = project.on_move == STOPS and any(not job.cancel_requested for job in queue.living())
    return batch if stops or queue.waiting().get(batch) else None
