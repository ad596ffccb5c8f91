"""A job whose turn has come, and that is to run only if its result is stale by then."""

from __future__ import annotations

from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.stale import look
from wtwatch.stale.values import Standing
from wtwatch.words.model import Job, Sha

FRESH = "not run: nothing that its result was made from has changed"


def spared(tree: RunTree, queue: Queue, job: Job, code_sha: Sha) -> Job | None:
    """Return a job as it ended that need not run on code at ``code_sha``; ``None`` for one that has to."""
    found = look.of_one(tree, job.spec, code_sha) if job.spec.if_stale else None
    if found is None or found.standing in (Standing.STALE, Standing.FED):
        return None
    return queue.spare(job.id, FRESH if found.standing is Standing.FRESH else f"not run: {found.detail}")
