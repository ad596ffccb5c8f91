"""What the daemon's log says of a tick: a line a thing, in words that can be read a week later."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from wtwatch.reconcile import Done
from wtwatch.views.jobwords import caption, outcome, seconds
from wtwatch.views.terminal import harmless
from wtwatch.words.model import Ended, Job, Running, spent

LAPSE = 600.0
"""Seconds after which a cause that comes back is told anew: twice the longest pause between two tries."""

_PID = re.compile(r" \(pid \d+\)")


class Causes:
    """Why nothing went on, as far as it was told: once, as long as it keeps coming back.

    Whoever works in the tree by one short command after the other is one cause.
    """

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def is_news(self, cause: str) -> bool:
        """Return whether a cause that is there now is to be told."""
        at, named = time.monotonic(), _PID.sub("", cause)
        self._seen = {known: seen for known, seen in self._seen.items() if at - seen < LAPSE}
        is_known = named in self._seen
        self._seen[named] = at
        return not is_known

    def forget(self) -> None:
        """Say that something went on: what stands in the way after that is told again."""
        self._seen.clear()


def lines(done: Done) -> Iterator[str]:
    """Yield what a tick did, in the order in which it did it."""
    if done.ended:
        yield _ended(done.ended)
    yield from (_ended(job) for job in done.beside if isinstance(job.state, Ended))
    yield from (f"{_job(job)} waits once more: {harmless(why)}" for job, why in done.put_back)
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
    for job in done.beside:
        if isinstance(job.state, Running):
            yield f"{_job(job)} started in lane {job.state.lane}"


def _ended(job: Job) -> str:
    took = seconds(job)
    text = f"{_job(job)} {outcome(job)}" + (f" after {spent(took)}" if took is not None else "")
    detail = job.state.detail if isinstance(job.state, Ended) else None
    return f"{text}: {harmless(' '.join(detail.split()))}" if detail else text


def _job(job: Job) -> str:
    return f"job {job.id} of batch {job.batch}, {caption(job.spec)},"
