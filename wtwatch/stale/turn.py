"""A job whose turn has come, and that is to run only if its result is stale by then."""

from __future__ import annotations

from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.stale import look, touched
from wtwatch.stale.values import Standing
from wtwatch.words.model import Job, Sha

FRESH = "not run: nothing that its result was made from has changed"


def spared(tree: RunTree, queue: Queue, job: Job, code_sha: Sha) -> Job | None:
    """Return a job as it ended that need not run on code at ``code_sha``; ``None`` for one that has to."""
    if not job.spec.if_stale:
        return None
    of = look.of_one if job.spec.rerun_of else touched.result_of
    found = of(tree, job.spec, code_sha)
    if found is None or found.standing in (Standing.STALE, Standing.FED):
        return None
    return queue.spare(job.id, FRESH if found.standing is Standing.FRESH else f"not run: {found.detail}")
