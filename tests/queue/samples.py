"""Jobs for the tests of the queue, and how one runs."""

from __future__ import annotations

from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now

A, B, C = (Sha(letter * 40) for letter in "abc")


def specs(*commands: str) -> list[JobSpec]:
    return [JobSpec(command) for command in commands]


def running(code: Sha = A) -> Running:
    return Running(now(), code, B, "uuid")


def ended(outcome: Outcome = Outcome.SUCCEEDED, code: Sha = A) -> Ended:
    return Ended(now(), now(), code, outcome, 0, (C,))


def run_next(queue: Queue, outcome: Outcome = Outcome.SUCCEEDED, code: Sha = A) -> Job:
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, running(code))
    queue.end(job.id, ended(outcome, code))
    queue.note_cleared()
    return job


def always(_old: Sha, _new: Sha) -> bool:
    return True


def never(_old: Sha, _new: Sha) -> bool:
    return False


def commands(jobs: list[Job]) -> list[str]:
    return [job.spec.command for job in jobs]
