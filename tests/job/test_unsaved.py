"""What a plain job leaves unsaved is said when it ends, and by `status` until it is saved or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually
from wtwatch.project.config import write_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.views import status
from wtwatch.words.model import Ended, Freshness, Job, JobSpec, Outcome, Trigger

WORK = TickOptions(start_jobs=True)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    write_project(house.project)
    return house


def ended(house: House, command: str) -> tuple[Job, Ended]:
    """Have a plain job run as the daemon does it; return it with how it ended."""
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec(command, plain=True)], Trigger.NOW, house.head())

    def is_over() -> bool:
        tick(house.project, WORK)
        return isinstance(queue.job(job.id).state, Ended) and queue.uncleared() is None

    eventually(is_over)
    done = queue.job(job.id)
    assert isinstance(done.state, Ended)
    return done, done.state


def test_what_a_plain_job_left_unsaved_is_told_until_it_is_saved_or_gone(house: House) -> None:
    job, state = ended(house, "echo hi > plain.txt")
    assert state.outcome is Outcome.SUCCEEDED
    assert state.detail == "left plain.txt unsaved, so the next job cannot start"
    done = tick(house.project, WORK)
    assert done.waits == f"Job {job.id} left plain.txt unsaved, so the next job cannot start."
    shown = status.describe(house.project, None).standpoint
    assert shown.freshness is Freshness.BLOCKED and shown.reason == done.waits
    (house.project.run_tree / "plain.txt").unlink()
    assert tick(house.project, WORK).waits is None
    assert status.describe(house.project, None).standpoint.freshness is Freshness.FRESH
    assert Queue(house.project.state).unsaved() is None


def test_code_moves_though_a_plain_job_left_something(house: House) -> None:
    ended(house, "echo hi > plain.txt")
    tip = house.commit({"a.py": "a = 2\n"})
    assert tick(house.project, WORK).moved
    assert house.head() == tip


@pytest.mark.parametrize(
    "command", ["true", "echo hi > nohup.out", "echo 1 > x && git add x && git commit -qm x"]
)
def test_a_plain_job_that_leaves_all_saved_is_not_talked_of(house: House, command: str) -> None:
    _, state = ended(house, command)
    assert state.outcome is Outcome.SUCCEEDED and state.detail is None
    assert tick(house.project, WORK).waits is None
