"""What is next: in which order, on which code, and what holds it back."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, B, C, always, commands, ended, run_next, running, specs
from wtwatch.queue import due
from wtwatch.queue.due import OpenBatch, OpenWork
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Outcome, Sha, Trigger

LATER = OpenBatch(id=1, due=None, base=A, code_sha=None, first=10, runs=False)
READY = OpenBatch(id=2, due=5, base=A, code_sha=None, first=20, runs=False)
STARTED = OpenBatch(id=3, due=6, base=A, code_sha=B, first=30, runs=False)


@pytest.mark.parametrize(
    ("batches", "job"),
    [
        ((), None),
        ((LATER,), None),
        ((LATER, READY), 20),
        ((READY, STARTED), 30),
        ((READY._replace(due=7), READY._replace(first=21)), 21),
        ((READY, STARTED._replace(first=None, runs=True)), None),
    ],
)
def test_the_batch_that_started_goes_on_before_the_one_that_is_due_longest(
    batches: tuple[OpenBatch, ...], job: int | None
) -> None:
    assert due.next_job(OpenWork(batches, (), paused=False), though_paused=False) == job
    assert due.next_job(OpenWork(batches, (), paused=True), though_paused=True) == job
    assert due.next_job(OpenWork(batches, (), paused=True), though_paused=False) is None


@pytest.mark.parametrize(
    ("work", "tip", "unfinished"),
    [
        (OpenWork((), (), paused=False), B, False),
        (OpenWork((LATER,), (), paused=False), A, False),
        (OpenWork((LATER,), (), paused=False), B, True),
        (OpenWork((LATER,), (B,), paused=False), None, False),
        (OpenWork((), (A,), paused=False), B, True),
        (OpenWork((READY,), (A,), paused=True), B, False),
        (OpenWork((READY._replace(runs=True),), (), paused=True), A, True),
    ],
)
def test_who_waits_for_the_queue_waits_for_what_runs_is_due_or_will_be(
    work: OpenWork, tip: Sha | None, unfinished: bool
) -> None:
    assert due.unfinished(work, tip) is unfinished


def test_batches_run_in_order_of_becoming_due_and_jobs_in_order_within(queue: Queue) -> None:
    queue.add(specs("later 1", "later 2"), Trigger.ON_MOVE, A)
    queue.add(specs("now 1", "now 2"), Trigger.NOW, A)
    assert commands([run_next(queue)]) == ["now 1"]
    queue.fire(B, always)
    queue.add(specs("last"), Trigger.NOW, B)
    assert commands([run_next(queue) for _ in range(4)]) == ["now 2", "later 1", "later 2", "last"]
    assert queue.next_job() is None


def test_a_failed_job_does_not_stop_its_batch(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    assert commands([run_next(queue)]) == ["two"]


def test_no_second_job_is_offered_while_one_runs(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.begin(first.id, running())
    assert queue.next_job() is None
    queue.end(first.id, ended())
    assert queue.next_job() == second


def test_a_batch_takes_its_code_at_its_first_job_and_keeps_it_to_its_end(queue: Queue) -> None:
    jobs = queue.add(specs("one", "two"), Trigger.NOW, A)
    batch = jobs[0].batch
    assert (queue.under_way(), queue.batch_code(batch)) == (None, None)
    queue.begin(jobs[0].id, running(B))
    queue.end(jobs[0].id, ended(code=B))
    assert (queue.under_way(), queue.batch_code(batch)) == (batch, B)
    with pytest.raises(WtwatchError, match="its batch runs on b"):
        queue.begin(jobs[1].id, running(C))
    queue.pause()
    assert queue.batch_code(batch) == B
    queue.resume()
    run_next(queue, code=B)
    assert (queue.under_way(), queue.batch_code(batch)) == (None, B)


def test_a_paused_queue_offers_no_job(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    queue.pause()
    assert queue.paused()
    assert queue.next_job() is None
    queue.resume()
    assert queue.next_job() is not None
