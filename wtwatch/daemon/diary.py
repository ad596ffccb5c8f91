"""What the daemon's log says of a tick: a line a thing, in words that can be read a week later."""

from __future__ import annotations

from collections.abc import Iterator

from wtwatch.reconcile import Done
from wtwatch.views.jobwords import caption, outcome, seconds
from wtwatch.views.terminal import harmless
from wtwatch.words.model import Ended, Job, spent


def lines(done: Done) -> Iterator[str]:
    """Yield what a tick did, in the order in which it did it."""
    if done.ended:
        yield _ended(done.ended)
    if done.gave_way:
        batch, into = done.gave_way
        yield f"batch {batch} gives way to newer code; what it has left goes on as batch {into}"
    if done.backup:
        yield f"kept {harmless(done.backup.summary)} in backup {done.backup.id}"
    if done.moved:
        old, new, took = done.moved.old[:10], done.moved.new[:10], done.moved.seconds * 1000
        yield f"code moved from {old} to {new} in {took:.0f} ms"
    if done.fired:
        yield f"the move starts batch {', '.join(map(str, done.fired))}"
    if done.started:
        yield f"{_job(done.started)} started"


def _ended(job: Job) -> str:
    took = seconds(job)
    text = f"{_job(job)} {outcome(job)}" + (f" after {spent(took)}" if took is not None else "")
    detail = job.state.detail if isinstance(job.state, Ended) else None
    return f"{text}: {harmless(' '.join(detail.split()))}" if detail else text


def _job(job: Job) -> str:
    return f"job {job.id} of batch {job.batch}, {caption(job.spec)},"
