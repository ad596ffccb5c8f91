"""How far the jobs are that somebody waits for."""

from __future__ import annotations

from datetime import timedelta

from tests.queue.samples import A, B, always, run_next, specs
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Waiter, before
from wtwatch.words.model import Outcome, Trigger, now


def test_who_waits_for_all_waits_for_batches_that_were_not_over_or_came_since(queue: Queue) -> None:
    queue.add(specs("old"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    queue.add(specs("one", "two"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    queue.add(specs("later"), Trigger.ON_MOVE, A)
    waiter = Waiter(queue.file)
    progress = waiter.look(A)
    assert progress.states == {2: "failed", 3: "waiting"} and progress.unseen == {2}
    assert (progress.left(), progress.due, progress.coming) == ([3], 1, False)
    assert progress.before == {2}, "it had ended when the wait began"
    run_next(queue, Outcome.FAILED)
    assert waiter.look(A).unseen == {2, 3} and waiter.look(A).before == {2}
    assert waiter.look(B).coming
    queue.fire(B, always)
    queue.add(specs("new"), Trigger.NOW, A)
    assert list(waiter.look(B).states) == [2, 3, 4, 5]


def test_a_job_that_ended_while_the_command_was_loading_was_waited_for(queue: Queue) -> None:
    queue.add(specs("old"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    assert Waiter(queue.file).look(A).states == {}
    progress = Waiter(queue.file, since=now() - timedelta(minutes=1)).look(A)
    assert progress.states == {1: "failed"} and not progress.before


def test_named_jobs_count_whenever_they_ended_and_acknowledged_failures_do_not(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    waiter = Waiter(queue.file, [2, 1])
    assert waiter.look(A).states == {1: "failed", 2: "waiting"} and waiter.look(A).unseen == {1}
    assert not waiter.look(A).before
    queue.acknowledge([1])
    assert waiter.look(A).unseen == frozenset()
    queue.retry([1])
    assert waiter.look(A).states == {2: "waiting", 1: "waiting"}, "in the order in which they run"


def test_a_change_of_the_queue_shows_without_opening_it(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    waiter = Waiter(queue.file)
    assert waiter.changed()
    queue.pause()
    assert waiter.changed(), "even in the same moment"


def test_how_many_come_before_a_job_is_known_for_those_that_are_due(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.add(specs("later"), Trigger.ON_MOVE, A)
    assert [before(queue.file, job) for job in (1, 2, 3, 9)] == [0, 1, None, None]
