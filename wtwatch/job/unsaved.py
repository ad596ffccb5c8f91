"""What a plain job that succeeded left unsaved: nobody else saves it, and no job starts beside it."""

from __future__ import annotations

from pathlib import Path

from wtwatch.job.attempt import Folder, Order
from wtwatch.job.readiness import listed
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import Unsaved
from wtwatch.queue.jobs import Queue
from wtwatch.tree.states import Before, TreeState, added
from wtwatch.words.model import Job

NOTED = 20
"""Paths that are remembered of what one job left: enough to see whether it is still there."""


def note(queue: Queue, job: Job, order: Order, folder: Folder) -> None:
    """Say with a job that has ended what it left unsaved, if it is a plain one, and remember that.

    Code is left out: whoever writes there has not succeeded.
    """
    before, after = folder.before(), folder.after()
    if not order.spec.plain or before is None or after is None:
        return
    code = order.code_path.relative_to(order.run_tree).as_posix() if not order.paths else None
    changes = {
        str(Path(dataset.path, change.path))
        for dataset in after.datasets
        if dataset.path != code
        for change in added(before, after, dataset.path)
    }
    if changes:
        queue.add_detail(job.id, f"left {listed(sorted(changes))} unsaved, so the next job cannot start")
        queue.note_unsaved(Unsaved(job.id, tuple(sorted(changes)[:NOTED])))


def reminder(tree: RunTree, queue: Queue) -> Unsaved | None:
    """Return what the last plain job left and is still there; once nothing is, that is remembered no more."""
    noted = queue.unsaved()
    if noted is None:
        return None
    still = _unsaved(Before.of(tree.path, excludes_env(tree))) & set(noted.paths)
    if not still:
        queue.note_unsaved(None)
        return None
    return noted._replace(paths=tuple(sorted(still)))


def _unsaved(state: TreeState) -> set[str]:
    return {str(Path(one.path, change.path)) for one in state.datasets for change in one.changes}
