"""What people do to jobs that are queued: all or nothing, and never to the wrong one."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, B, C, always, commands, ended, run_next, running, specs
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


def test_jobs_that_wait_go_on_in_a_batch_of_their_own_which_comes_next_on_other_code(queue: Queue) -> None:
    first, second, _ = queue.add(specs("one", "two", "three"), Trigger.NOW, A)
    queue.add(specs("other"), Trigger.NOW, A)
    queue.begin(first.id, running())
    passed = queue.pass_on(first.batch, stop=False)
    assert passed.batch is not None and not passed.stopped
    assert commands(queue.jobs(passed.batch)) == ["two", "three"]
    assert queue.under_way() == first.batch, "the job that runs is still of its batch"
    queue.end(first.id, ended())
    queue.note_cleared()
    assert queue.under_way() is None, "so the code may move"
    assert commands([run_next(queue, code=B) for _ in range(3)]) == ["two", "three", "other"]
    assert queue.job(second.id).attempt == 1
    assert queue.pass_on(first.batch, stop=True).batch is None, "nothing of it is left"


def test_a_job_that_is_stopped_for_newer_code_runs_again_once_and_first(queue: Queue) -> None:
    first, _ = queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.begin(first.id, running())
    passed = queue.pass_on(first.batch, stop=True)
    assert [job.id for job in passed.stopped] == [first.id] and queue.cancel_requested(first.id)
    assert passed.batch is not None
    assert commands(queue.jobs(passed.batch)) == ["one", "two"]
    assert queue.pass_on(first.batch, stop=True).batch is None, "asked twice, it is not queued twice"
    queue.end(first.id, ended(Outcome.CANCELLED))
    assert commands([run_next(queue, code=B) for _ in range(2)]) == ["one", "two"]


def test_what_is_left_of_a_standing_batch_makes_way_for_the_next_one(queue: Queue) -> None:
    queue.add_standing(specs("one", "two"), A)
    (batch,) = queue.fire(B, always)
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, running(B))
    passed = queue.pass_on(batch, stop=False)
    queue.end(job.id, ended(code=B))
    (renewed,) = queue.fire(C, always)
    assert passed.batch is not None
    assert [left.word for left in queue.jobs(passed.batch)] == ["cancelled"]
    assert commands(queue.jobs(renewed)) == ["one", "two"]


def test_a_job_that_was_just_started_stays_of_the_batch_it_was_started_as(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    passed = queue.pass_on(job.batch, stop=False)
    queue.begin(job.id, running(), job.batch)
    assert queue.job(job.id).batch == job.batch
    assert passed.batch is not None and queue.batch_code(passed.batch) is None
