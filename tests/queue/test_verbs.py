"""What people do to jobs that are queued: all or nothing, and never to the wrong one."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, B, always, commands, ended, run_next, running, specs
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Outcome, Trigger, Waiting


def test_a_cancelled_waiting_job_never_runs(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    assert queue.cancel([first.id]) == []
    assert queue.job(first.id).word == "cancelled"
    assert queue.next_job() == second
    with pytest.raises(UsageError, match="over already"):
        queue.cancel([first.id])


def test_cancelling_a_running_job_asks_it_to_stop_and_goes_on_calling_it_running(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.begin(job.id, running())
    (asked,) = queue.cancel([str(job.id)])
    assert (asked.id, asked.word, asked.cancel_requested) == (job.id, "running", True)
    assert queue.cancel_requested(job.id)


def test_a_job_cancelled_in_the_instant_of_its_start_is_marked_to_be_stopped(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.cancel([job.id])
    queue.begin(job.id, running())
    assert queue.job(job.id).cancel_requested


def test_cancel_does_all_or_nothing(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    with pytest.raises(UsageError, match="no job 99"):
        queue.cancel([first.id, 99, second.id])
    assert [job.word for job in queue.jobs()] == ["waiting", "waiting"]


@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_standing_jobs_can_be_taken_back(queue: Queue, verb: str) -> None:
    queue.add_standing(specs("one"), A)
    getattr(queue, verb)(["s1"])
    assert queue.standing() == []
    assert queue.fire(B, always) == []
    with pytest.raises(UsageError, match="no standing jobs s1"):
        getattr(queue, verb)(["s1"])


def test_a_retried_job_keeps_its_id_and_counts_its_attempts(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    failed = run_next(queue, Outcome.FAILED)
    queue.acknowledge([failed.id])
    (again,) = queue.retry([failed.id])
    assert (again.id, again.attempt, again.state, again.acknowledged) == (failed.id, 2, Waiting(), False)
    assert again.batch != failed.batch
    assert commands([run_next(queue)]) == ["two"], "the batch under way comes first"
    assert run_next(queue, code=B).id == failed.id, "a retry may run on other code than its first attempt"
    (before,) = queue.attempts(failed.id)
    assert (before.attempt, before.batch, before.word) == (1, failed.batch, "failed")


@pytest.mark.parametrize("verb", ["retry", "remove"])
def test_a_job_is_not_taken_away_from_who_clears_up_behind_it(queue: Queue, verb: str) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.begin(first.id, running())
    queue.end(first.id, ended(Outcome.FAILED))
    with pytest.raises(WtwatchError, match="not cleared up"):
        getattr(queue, verb)([first.id])
    assert queue.job(first.id).word == "failed"
    queue.remove([second.id])
    queue.note_cleared()
    getattr(queue, verb)([first.id])


def test_a_job_that_has_not_ended_cannot_be_retried(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    with pytest.raises(UsageError, match="waiting"):
        queue.retry([job.id])


def test_a_removed_job_is_gone_and_its_id_is_not_given_out_again(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.remove([job.id])
    assert queue.jobs() == []
    (other,) = queue.add(specs("two"), Trigger.NOW, A)
    assert other.id > job.id
    queue.begin(other.id, running())
    with pytest.raises(UsageError, match="running"):
        queue.remove([other.id])


def test_an_unknown_job_is_named_with_the_way_to_find_the_right_one(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    for job in (99, "99", "x", "-1", "²", "9" * 18, "9" * 24, 10**24, "9" * 9000, "s" + "9" * 24):
        for ask in (
            queue.job,
            queue.attempts,
            lambda job: queue.cancel([job]),
            lambda job: queue.retry([job]),
        ):
            with pytest.raises(UsageError) as caught:
                ask(job)
            assert "wtwatch queue list" in str(caught.value.hint)


def test_failed_and_interrupted_jobs_ask_for_attention_until_acknowledged(queue: Queue) -> None:
    queue.add(specs("one", "two", "three"), Trigger.NOW, A)
    failed = run_next(queue, Outcome.FAILED)
    run_next(queue, Outcome.INTERRUPTED)
    run_next(queue)
    assert queue.unseen() == 2
    queue.acknowledge([failed.id])
    assert queue.unseen() == 1
    queue.acknowledge()
    assert queue.unseen() == 0
