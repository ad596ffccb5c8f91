"""What of a queue still matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.queue.samples import A, B
from wtwatch.queue.jobs import Queue
from wtwatch.queue.prospects import BatchProgress, Upcoming
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Sha, Trigger

AT = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)


def run(queue: Queue, minutes: float, outcome: Outcome = Outcome.SUCCEEDED) -> int:
    """Run the next job, from AT on."""
    job = queue.next_job(though_paused=True)  # which three failures at the start bring about
    assert job is not None
    queue.begin(job.id, Running(AT, A, B, "u"))
    queue.end(job.id, Ended(AT, AT + timedelta(minutes=minutes), A, outcome, int(outcome is Outcome.FAILED)))
    return job.id


def test_an_empty_queue_has_nothing_that_matters(queue: Queue) -> None:
    told = queue.outlook()
    assert (dict(told.counts), told.progress, told.due, told.on_move, told.failed) == ({}, None, (), (), ())


def test_what_ended_well_matters_until_it_is_home(queue: Queue) -> None:
    queue.add([JobSpec("a"), JobSpec("b")], Trigger.NOW, A)
    run(queue, 1)
    run(queue, 2)
    assert queue.outlook().counts == {}
    assert queue.outlook(AT + timedelta(minutes=2)).counts == {"succeeded": 2}, "its batch as a whole"
    assert queue.outlook(AT + timedelta(minutes=3)).counts == {}


def test_failures_matter_until_they_are_seen_and_the_newest_are_named(queue: Queue) -> None:
    queue.add([JobSpec(str(number)) for number in range(6)], Trigger.NOW, A)
    ids = [run(queue, number, Outcome.FAILED) for number in range(5)]
    run(queue, 9)
    told = queue.outlook()
    assert told.counts == {"failed": 5, "succeeded": 1}
    assert [job.id for job in told.failed] == [*reversed(ids)][:3]
    queue.acknowledge(ids[4:])
    assert queue.outlook().counts == {"failed": 4, "succeeded": 1}
    assert [job.id for job in queue.outlook().failed] == [*reversed(ids[:4])][:3]
    queue.acknowledge()
    assert queue.outlook().counts == {} and queue.outlook().failed == ()


def test_the_batch_under_way_says_how_far_it_is_and_others_what_they_wait_for(queue: Queue) -> None:
    queue.add([JobSpec(str(number)) for number in range(5)], Trigger.NOW, A)
    queue.add([JobSpec("next")], Trigger.NOW, A)
    queue.add([JobSpec("x"), JobSpec("y")], Trigger.ON_MOVE, A)
    before = queue.outlook()
    assert before.progress is None and before.due == (Upcoming(1, 5), Upcoming(2, 1))
    run(queue, 10)
    run(queue, 20, Outcome.FAILED)
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, Running(AT, A, B, "u"))
    queue.cancel([5])
    told = queue.outlook()
    assert told.progress == BatchProgress(1, 5, 3, 1, A, AT, 30 * 60.0, 2), (
        "one was cancelled before it began"
    )
    assert (told.due, told.on_move) == ((Upcoming(2, 1),), (Upcoming(3, 2),))


@pytest.mark.parametrize(
    ("progress", "running_for", "left"),
    [
        (BatchProgress(1, 5, 0, 0), 7.0, None),
        (BatchProgress(1, 5, 2, 0, seconds=20.0, timed=2), 4.0, 2 * 10 + 6.0),
        (BatchProgress(1, 5, 2, 0, seconds=20.0, timed=2), 40.0, 2 * 10.0),
        (BatchProgress(1, 5, 2, 0, seconds=20.0, timed=2), None, 3 * 10.0),
        (BatchProgress(1, 5, 5, 0, Sha("a"), seconds=20.0, timed=2), None, 0.0),
    ],
)
def test_what_is_left_is_reckoned_from_the_jobs_that_ended(
    progress: BatchProgress, running_for: float | None, left: float | None
) -> None:
    assert progress.left(running_for) == left
