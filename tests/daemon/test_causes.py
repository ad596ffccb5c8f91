"""What the user is told of: each cause once, and again when it is back; nothing that ended is missed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.daemon import causes
from wtwatch.daemon.causes import Cause
from wtwatch.project.config import write_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.views import disk
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Process, Running, Sha, Trigger, now

A = Sha("a" * 40)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path, on_attention="attend", on_batch_end="end")
    write_project(house.project)
    return house


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def news(house: House, done: Done = Done()) -> list[Cause]:  # noqa: B008 - it cannot be changed
    """Return what is told after a tick, and note it."""
    found = causes.of_tick(house.project, done)
    queue_of(house).note_told(found.standing, found.ended)
    return list(found.causes)


def told(house: House, done: Done = Done()) -> list[str]:  # noqa: B008
    return [one.facts.get("WTWATCH_REASON", one.setting) for one in news(house, done)]


def ended(house: House, outcome: Outcome, tell: bool = True) -> Job:
    queue = queue_of(house)
    job = queue.next_job(though_paused=True)
    assert job is not None
    queue.begin(job.id, Running(now(), A, A, "u"))
    queue.end(job.id, Ended(now(), now(), A, outcome, int(outcome is Outcome.FAILED)), tell=tell)
    return queue.job(job.id)


def test_what_keeps_a_project_is_told_once_and_again_when_it_is_back(house: House) -> None:
    blocked = Done(waits="a merge is not finished", hint="end it")
    assert told(house, blocked) == ["a merge is not finished"]
    assert told(house, blocked) == []
    assert told(house, Done(waits="another")) == ["another"]
    assert told(house) == []
    (again,) = news(house, blocked)
    assert again.facts["WTWATCH_HINT"] == "end it" and again.facts["WTWATCH_PROJECT"] == "p"


def test_somebody_who_works_in_the_tree_is_no_cause_before_busy_alarm_is_over(house: House) -> None:
    busy = Done(waits="cat works there", busy=(Process(os.getpid(), "cat", now()),))
    assert told(house, Done(waits="blocked")) == ["blocked"]
    assert told(house, busy) == []
    assert told(house, Done(waits="blocked")) == [], "it was told before"
    since = now() - timedelta(seconds=house.project.busy_alarm + 60)
    long = busy._replace(busy=(Process(os.getpid(), "cat", since),))
    (cause,) = news(house, long)
    assert f"cat (pid {os.getpid()}) has held the run tree for 31 min." in cause.facts["WTWATCH_REASON"]
    assert f"--ignore-pid {os.getpid()}" in cause.facts["WTWATCH_HINT"]
    assert told(house, long) == []


def test_a_failed_job_and_the_end_of_its_batch_are_told_once_whoever_saw_it_end(house: House) -> None:
    queue_of(house).add([JobSpec("x", "Plot A"), JobSpec("y")], Trigger.NOW, A)
    ended(house, Outcome.FAILED)
    (one,) = news(house)
    assert one.facts["WTWATCH_REASON"] == "Job 1 (Plot A) failed (exit 1)."
    assert (one.setting, one.facts["WTWATCH_JOB"], one.facts["WTWATCH_BATCH"]) == ("on_attention", "1", "1")
    ended(house, Outcome.SUCCEEDED)
    (one,) = news(house)
    assert one.setting == "on_batch_end"
    assert (one.facts["WTWATCH_BATCH"], one.facts["WTWATCH_SUCCEEDED"], one.facts["WTWATCH_FAILED"]) == (
        "1", "1", "1"
    )  # fmt: skip
    assert news(house) == []


def test_ends_that_came_while_nobody_told_of_them_are_told_together_the_batch_once(house: House) -> None:
    queue_of(house).add([JobSpec("x"), JobSpec("y"), JobSpec("z")], Trigger.NOW, A)
    for outcome in (Outcome.FAILED, Outcome.INTERRUPTED, Outcome.SUCCEEDED):
        ended(house, outcome)
    assert told(house) == ["Job 1 (x) failed (exit 1).", "Job 2 (y) interrupted.", "on_batch_end"]
    queue_of(house).retry([1])
    ended(house, Outcome.FAILED)
    queue_of(house).note_cleared()
    queue_of(house).retry([1])
    assert told(house) == [], "whoever retried it saw how it ended"


def test_a_backup_is_told_also_one_that_a_tick_left_which_was_killed(house: House) -> None:
    house.edit("a.py", "mine\n")
    house.commit({"a.py": "a = 2\n"})
    assert tick(house.project, TickOptions()).backup
    assert told(house) == [], "it was there when the command was set"
    house.edit("a.py", "mine too\n")
    house.commit({"a.py": "a = 3\n"})
    assert tick(house.project, TickOptions()).backup, "and the daemon is killed here"
    (cause,) = news(house)
    assert "Kept in a backup: " in cause.facts["WTWATCH_REASON"] and cause.facts["WTWATCH_HINT"].startswith(
        "wtwatch backups show 2"
    )
    assert told(house) == []


def test_what_else_status_asks_for_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of(house)
    queue.add([JobSpec(f"x{n}") for n in range(9)], Trigger.NOW, A)
    for _ in range(3):
        ended(house, Outcome.FAILED, tell=False)
    assert told(house) == ["The queue paused: the first 3 jobs of batch 1 all failed."]
    queue.resume()
    monkeypatch.setattr(disk, "full", lambda project: project.state)
    (cause,) = news(house)
    assert "is full" in cause.facts["WTWATCH_REASON"]
    monkeypatch.undo()
    odd = House(house.project._replace(more=(("settel", 1),)))
    assert "no setting 'settel'" in told(odd)[0]
    newer = House(odd.project._replace(version=99))
    assert told(newer) == []


def test_a_queue_that_was_lost_is_told(house: House) -> None:
    queue_of(house).add([JobSpec("x")], Trigger.NOW, A)
    (house.project.state / "state.db").unlink()
    queue_of(house).pause()
    assert "The queue's file was gone" in told(house)[0]


def test_where_only_the_end_of_batches_is_asked_for_nothing_else_is_told(house: House) -> None:
    modest = House(house.project._replace(on_attention=""))
    queue_of(house).add([JobSpec("x")], Trigger.NOW, A)
    ended(house, Outcome.FAILED)
    assert told(modest, Done(waits="blocked")) == ["on_batch_end"]
    assert queue_of(house).told() is None and queue_of(house).untold() == []


def test_of_ends_that_nobody_takes_up_only_the_newest_are_remembered(house: House) -> None:
    queue = queue_of(house)
    queue.add([JobSpec(f"x{n}") for n in range(103)], Trigger.NOW, A)
    for _ in range(103):
        ended(house, Outcome.SUCCEEDED)
    assert [one.job for one in queue.untold()] == [*range(4, 104)]


def test_a_run_tree_is_held_up_by_who_has_it_only_if_something_waits_for_it(house: House) -> None:
    tick(house.project, TickOptions())
    assert not causes.is_held_up(house.project)
    house.commit({"a.py": "a = 2\n"})
    assert causes.is_held_up(house.project)
    tick(house.project, TickOptions())
    (job,) = queue_of(house).add([JobSpec("x")], Trigger.NOW, A)
    assert causes.is_held_up(house.project)
    queue_of(house).begin(job.id, Running(now(), A, A, "u", lane=1))
    assert causes.is_held_up(house.project), "its result will"
