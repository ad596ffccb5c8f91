"""What jobs make no more and what is still there: noted for `status` until it is gone, made anew, or seen."""

from __future__ import annotations

from wtwatch.job import lifecycle, verdict
from wtwatch.job.attempt import Folder
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, Outlived, Sha

NOTED = 20
"""Paths that are remembered of one job: enough to see whether they are still there."""


def note(tree: RunTree, queue: Queue, job: Job, over: Ended) -> None:
    """Note what a job that ended well makes no more; what was noted of its outputs before is so no longer."""
    known = queue.outlived()
    paths, removed = Folder.of(tree.project.state, job.id, job.attempt).outlived()
    if not known and (removed or not paths):
        return
    demanded = lifecycle.demands(tree, job.spec, over.code_sha or Sha(""))
    outputs = demanded.spec.outputs
    kept = [
        one
        for one in known
        if not any(verdict.is_below(path, output, demanded) for path in one.paths for output in outputs)
    ]
    new = [Outlived(job.id, paths[:NOTED], len(paths))] if paths and not removed else []
    if [*kept, *new] != known:
        queue.note_outlived([*kept, *new])
