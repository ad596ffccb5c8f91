"""Jobs whose commands came with somebody else's commits: held, shown, and run once they are approved."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, B, always, commands, run_next, specs
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Held, Trigger


def test_a_held_job_is_in_no_batch_that_starts_until_it_is_approved(queue: Queue) -> None:
    one, two = queue.hold(specs("one", "two"))
    (own,) = queue.add(specs("own"), Trigger.NOW, A)
    assert one.state == Held() and queue.counts()["held"] == 2 and [*queue.waiting()] == [own.batch]
    assert run_next(queue) == own and queue.next_job() is None
    assert queue.fire(B, always) == [] and not queue.unfinished(A), "nobody waits for it"
    (approved,) = queue.approve([two.id])
    assert queue.next_job() == approved and approved.spec.command == "two"
    assert [job.id for job in queue.held()] == [one.id]


def test_hundreds_are_approved_by_one_decision_and_keep_their_order(queue: Queue) -> None:
    held = queue.hold(specs(*map(str, range(300))))
    made = queue.approve([job.id for job in queue.held()])
    assert commands(made) == commands(held) and len({job.batch for job in made}) == 1
    assert queue.held() == [] and queue.next_job() == made[0]


def test_to_approve_is_for_held_jobs_alone_and_does_all_or_nothing(queue: Queue) -> None:
    (held,) = queue.hold(specs("one"))
    (own,) = queue.add(specs("own"), Trigger.NOW, A)
    with pytest.raises(UsageError, match="needs no approval: it is waiting"):
        queue.approve([held.id, own.id])
    assert queue.job(held.id).state == Held()


def test_a_held_job_can_be_taken_back_and_forgotten(queue: Queue) -> None:
    one, two = queue.hold(specs("one", "two"))
    assert queue.cancel([one.id]) == [] and queue.job(one.id).word == "cancelled"
    assert queue.remove([two.id]) == [two.id] and queue.held() == []


def test_what_was_ever_asked_for_here_is_known_and_what_is_held_or_was_taken_back_is_not(
    queue: Queue,
) -> None:
    queue.add(specs("queued", "taken back"), Trigger.NOW, A)
    queue.cancel([2])
    _, approved, refused = queue.hold(specs("held", "approved", "refused"))
    queue.approve([approved.id])
    queue.cancel([refused.id])
    assert queue.approved_commands() == {"queued", "approved"}
