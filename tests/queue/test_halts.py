"""After which end of a job the queue pauses by itself."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, ended, run_next, running, specs
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Outcome, Trigger

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED


def queued(queue: Queue, number: int, first: int | None = None) -> int:
    return queue.add(specs(*map(str, range(number))), Trigger.NOW, A, first)[0].batch


@pytest.mark.parametrize(
    ("ends", "paused"),
    [
        ([BAD, BAD, BAD], True),
        ([BAD, Outcome.INTERRUPTED, BAD], True),
        ([BAD, BAD], False),
        ([BAD, GOOD, BAD, BAD, BAD], False),
        ([BAD, BAD, Outcome.CANCELLED], False),
        ([GOOD, BAD, BAD, BAD], False),
    ],
)
def test_a_batch_of_which_the_first_three_all_fail_pauses(
    queue: Queue, ends: list[Outcome], paused: bool
) -> None:
    batch = queued(queue, 6)
    for end in ends:
        run_next(queue, end)
    assert queue.paused() == paused
    assert queue.pause_reason() == (f"the first 3 jobs of batch {batch} all failed" if paused else None)


def test_a_batch_that_is_over_pauses_nothing(queue: Queue) -> None:
    queued(queue, 3)
    queued(queue, 3)
    for _ in range(3):
        run_next(queue, BAD)
    assert not queue.paused() and queue.next_job() is not None


def test_after_resume_the_rest_runs_without_pausing_again(queue: Queue) -> None:
    queued(queue, 7)
    for _ in range(3):
        run_next(queue, BAD)
    queue.resume()
    assert queue.pause_reason() is None
    for _ in range(4):
        run_next(queue, BAD)
    assert not queue.paused()


def test_the_first_of_a_batch_run_and_the_rest_waits_until_resume(queue: Queue) -> None:
    batch = queued(queue, 4, first=2)
    other = queued(queue, 2)
    run_next(queue)
    assert not queue.paused()
    run_next(queue, BAD)
    assert queue.next_job() is None
    assert queue.pause_reason() == f"batch {batch} has run its first 2 jobs, as was asked"
    queue.resume()
    run_next(queue)
    run_next(queue)
    assert not queue.paused() and (job := queue.next_job()) is not None and job.batch == other


def test_a_pause_by_hand_has_no_reason_and_is_not_replaced_by_one(queue: Queue) -> None:
    queued(queue, 4, first=1)
    job = queue.next_job()
    queue.pause()
    assert job is not None and queue.pause_reason() is None and queue.paused()


def end_next(queue: Queue, outcome: Outcome, max_failures: int) -> None:
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, running(A))
    queue.end(job.id, ended(outcome, A), max_failures)
    queue.note_cleared()


def test_a_batch_pauses_with_the_failure_that_is_one_too_many_and_after_resume_no_more(queue: Queue) -> None:
    batch = queued(queue, 7)
    for end in (GOOD, BAD, GOOD):
        end_next(queue, end, max_failures=2)
        assert not queue.paused()
    end_next(queue, Outcome.INTERRUPTED, max_failures=2)
    assert queue.pause_reason() == f"2 jobs of batch {batch} failed, as many as max_failures allows"
    queue.resume()
    for end in (GOOD, BAD):
        end_next(queue, end, max_failures=2)
    assert not queue.paused()


def test_without_that_setting_a_batch_goes_on_however_many_fail(queue: Queue) -> None:
    queued(queue, 9)
    for end in (GOOD, *[BAD] * 7):
        end_next(queue, end, max_failures=0)
    assert not queue.paused()
