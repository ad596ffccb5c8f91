"""Batches that wait for a move: when they become due, and that standing ones are never doubled."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.queue.samples import A, B, C, always, commands, never, run_next, running, specs
from wtwatch.queue import batches, database
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, Outcome, Sha, Trigger


def test_a_batch_for_the_next_move_waits_until_the_tip_is_another(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.ON_MOVE, A)
    assert queue.wait_for_move() == {job.batch}
    assert not queue.pending(A)
    assert queue.fire(A, always) == []
    assert queue.next_job() is None
    assert queue.pending(B)
    assert queue.fire(B, always) == [job.batch]
    assert queue.next_job() == job
    assert not queue.pending(C), "it is due once, not at every move"
    assert queue.wait_for_move() == set()


def test_a_move_that_changes_nothing_for_the_jobs_starts_none_and_asks_no_more(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    queue.add_standing(specs("two"), A)
    assert queue.fire(B, never) == []
    assert not queue.pending(B)
    assert queue.next_job() is None
    assert len(queue.fire(C, always)) == 2


def test_what_another_input_makes_stale_starts_at_any_move_but_for_what_failed_or_was_never_made(
    queue: Queue,
) -> None:
    stale, fresh, failed, unmade, came = specs("stale", "fresh", "failed", "unmade", "came")
    order = queue.add_standing((stale, fresh, failed, unmade), A, template="t")
    queue.fire(B, always)
    for end in (Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED):
        run_next(queue, code=B, outcome=end)
    seen = batches.Anew(
        "t",
        (stale, fresh, failed, unmade, came),
        start=(stale, failed, unmade, came),
        unmade=(unmade, came),
    )
    (fired,) = queue.fire(C, never, lambda _standing: seen)
    assert commands(queue.jobs(fired)) == ["stale", "came"]
    assert queue.standing()[0].specs == seen.specs and order.id == queue.standing()[0].id


def test_standing_jobs_are_a_new_batch_at_every_move(queue: Queue) -> None:
    standing = queue.add_standing(specs("one", "two"), A)
    assert queue.standing() == [standing]
    assert queue.counts()["waiting"] == 0
    (first,) = queue.fire(B, always)
    assert commands(queue.jobs(first)) == ["one", "two"]
    assert queue.fire(B, always) == []
    run_next(queue, code=B)
    run_next(queue, code=B)
    (second,) = queue.fire(C, always)
    assert commands(queue.jobs(second)) == ["one", "two"]
    assert queue.standing()[0].base == C


def test_an_unstarted_standing_batch_is_superseded_and_never_doubled(queue: Queue) -> None:
    queue.add_standing(specs("one", "two"), A)
    (first,) = queue.fire(B, always)
    (second,) = queue.fire(C, always)
    states = [job.state for job in queue.jobs(first)]
    assert all(isinstance(state, Ended) and state.outcome is Outcome.CANCELLED for state in states)
    assert all(
        isinstance(state, Ended) and state.detail == f"superseded by batch {second}" for state in states
    )
    job = queue.next_job()
    assert job is not None
    assert job.batch == second


def test_of_superseded_batches_only_the_newest_stays(queue: Queue) -> None:
    """However often the bookmark moves during a long batch, the queue does not grow."""
    [long, _] = queue.add(specs("long", "longer"), Trigger.NOW, A)
    queue.begin(long.id, running(A))
    queue.add_standing(specs("one", "two"), A)
    fired = [queue.fire(tip, always) for tip in (B, C) * 10]
    (last,), (newest,) = fired[-2:]
    assert [(job.batch, job.word) for job in queue.jobs()][2:] == [
        (last, "cancelled"),
        (last, "cancelled"),
        (newest, "waiting"),
        (newest, "waiting"),
    ]
    with closing(sqlite3.connect(queue.file)) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (3,)


def test_a_superseded_job_that_was_taken_back_or_tried_again_by_hand_stays(queue: Queue) -> None:
    queue.add_standing(specs("one", "two", "three"), A)
    (first,) = queue.fire(B, always)
    by_hand, again, _ = queue.jobs(first)
    queue.cancel([by_hand.id])
    queue.fire(C, always)
    queue.retry([again.id])
    for tip in (B, C, B):
        queue.fire(tip, always)
    assert queue.job(by_hand.id).word == "cancelled"
    assert queue.job(again.id).word == "waiting"


def test_the_queue_is_free_for_others_while_git_is_asked_what_a_move_changes(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.0)
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    others: list[Job] = []

    def slowly(_old: Sha, _new: Sha) -> bool:
        others.extend(Queue(queue.file.parent).add(specs("two"), Trigger.ON_MOVE, C))
        return True

    (fired,) = queue.fire(B, slowly)
    assert commands(queue.jobs(fired)) == ["one"]
    assert queue.pending(B), "what was queued meanwhile is not passed over"
    assert queue.fire(B, always) == [others[0].batch]


def test_a_standing_batch_that_has_started_runs_to_its_end_beside_the_next(queue: Queue) -> None:
    queue.add_standing(specs("one", "two"), A)
    (first,) = queue.fire(B, always)
    run_next(queue, code=B)
    (second,) = queue.fire(C, always)
    assert [run_next(queue, code=B).batch] == [first]
    assert [run_next(queue, code=C).batch for _ in range(2)] == [second, second]


def test_a_change_that_is_cut_off_leaves_nothing_half_done(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    queue.add_standing(specs("two"), A)

    def breaks(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "renew", breaks)
    with pytest.raises(KeyboardInterrupt):
        queue.fire(B, always)
    assert queue.next_job() is None
    assert queue.pending(B)
