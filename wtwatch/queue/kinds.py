"""Jobs of a kind: the same thing to do, in another batch, as standing orders have it at each move."""

from __future__ import annotations

from collections.abc import Iterable

from wtwatch.words.model import Ended, Job, JobSpec, Outcome
from wtwatch.words.resources import without_wishes

BAD = (Outcome.FAILED, Outcome.INTERRUPTED)


def to_retry(jobs: Iterable[Job]) -> tuple[list[Job], list[Job]]:
    """Return of all ``jobs`` those whose failure still stands, and the failures that a later end replaced.

    A failure stands that nobody acknowledged, if no job of its kind ended after it. In order of the end.
    """
    over = [(job.state.ended, job.id, job) for job in jobs if isinstance(job.state, Ended)]
    newest: dict[JobSpec, int] = {}
    for _, number, job in sorted(over):
        if not _is_cancelled(job):
            newest[_kind(job)] = number
    bad = [job for _, _, job in sorted(over) if _is_open_failure(job)]
    standing = [job for job in bad if newest[_kind(job)] == job.id]
    return standing, [job for job in bad if newest[_kind(job)] != job.id]


def _kind(job: Job) -> JobSpec:
    return without_wishes(job.spec._replace(resume=False, drop_fetched=False, uses=()))


def _is_cancelled(job: Job) -> bool:
    return isinstance(job.state, Ended) and job.state.outcome is Outcome.CANCELLED


def _is_open_failure(job: Job) -> bool:
    return isinstance(job.state, Ended) and job.state.outcome in BAD and not job.acknowledged
