"""When the batch under way gives way to newer code: `on_move`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.processes import identity
from wtwatch.job.attempt import Folder, Order
from wtwatch.lanes import notes
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.tree import codetree
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.views import status
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, Trigger, now

WORK = TickOptions(start_jobs=True)


@pytest.fixture(params=["after-job", "cancel"])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> House:
    return House.built(tmp_path / "house", settle=0.0, on_move=request.param)


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def under_way(house: House, *commands: str, lane: int | None = None) -> list[Job]:
    """Queue a batch whose first job runs: this very process passes for the one that does it."""
    queue, code = queue_of(house), house.head()
    jobs = queue.add([JobSpec(command, plain=True) for command in commands], Trigger.NOW, code)
    base, first = house.head(house.project.run_tree), jobs[0]
    bell = house.project.state / "bell"
    place = house.project.run_tree, house.code
    uuid = secrets.token_hex(8)  # as all that bear it are told to end
    order = Order(first.id, 1, first.queued, uuid, now(), *place, code, base, bell, first.spec)
    folder, myself = Folder.of(house.project.state, first.id, 1), identity(os.getpid())
    assert myself
    folder.write_order(order)
    folder.write_started(myself, order.uuid, order.at)
    queue.begin(first.id, Running(order.at, code, base, order.uuid, lane))
    return jobs


def batches(house: House) -> list[int]:
    return [job.batch for job in queue_of(house).jobs()]


def test_what_is_left_goes_on_as_a_batch_of_its_own_and_a_job_is_stopped_if_that_is_asked(
    house: House,
) -> None:
    one, *_ = under_way(house, "one", "two", "three")
    house.commit({"a.py": "a = 2\n"})
    assert tick(house.project, WORK).gave_way == (1, 2)
    queue, stops = queue_of(house), house.project.on_move == "cancel"
    assert queue.cancel_requested(one.id) is stops
    assert [job.spec.command for job in queue.jobs(2)] == (["one"] if stops else []) + ["two", "three"]
    assert queue.batch_code(2) is None, "it takes the code of when it starts"
    assert tick(house.project, WORK).gave_way is None and len(queue.jobs(2)) == 2 + stops


def stays(house: House) -> bool:
    gave_way = tick(house.project, WORK).gave_way
    return gave_way is None and set(batches(house)) == {1} and not queue_of(house).cancel_requested(1)


def test_no_batch_gives_way_to_documentation(house: House) -> None:
    under_way(house, "one", "two")
    house.commit({"README.md": "read me\n"})
    assert stays(house)


def test_no_batch_gives_way_before_the_bookmark_is_still_unless_that_is_in_a_hurry(house: House) -> None:
    patient = House(house.project._replace(settle=300.0))
    under_way(patient, "one", "two")
    tip = patient.commit({"a.py": "a = 2\n"})
    assert stays(patient) and stays(patient)
    queue_of(patient).hurry(tip)
    assert tick(patient.project, WORK).gave_way == (1, 2)


def test_a_paused_batch_keeps_its_code_until_it_is_resumed(house: House) -> None:
    under_way(house, "one", "two")
    house.commit({"a.py": "a = 2\n"})
    queue_of(house).pause()
    assert stays(house)
    queue_of(house).resume()
    assert tick(house.project, WORK).gave_way == (1, 2)


def test_no_job_is_stopped_for_a_move_that_cannot_be_made(house: House) -> None:
    under_way(house, "one", "two")
    house.commit({".venv/bin/python": "tracked by mistake\n"})
    assert stays(house)
    house.commit({".venv/bin/python": None, "a.py": "a = 2\n"})
    assert tick(house.project, WORK).gave_way == (1, 2)


def test_a_batch_that_was_to_end_first_keeps_its_code_for_that_move_alone(house: House) -> None:
    under_way(house, "one", "two")
    queue_of(house).await_end(house.commit({"a.py": "a = 2\n"}))
    assert stays(house) and "keeps its code until it ends" in str(reason(house))
    house.commit({"a.py": "a = 3\n"})
    assert "gives way" in str(reason(house))
    assert tick(house.project, WORK).gave_way == (1, 2)


def reason(house: House) -> str | None:
    return status.describe(house.project).standpoint.reason


def test_by_itself_a_batch_keeps_its_code(tmp_path: Path) -> None:
    house = House.built(tmp_path / "house", settle=0.0)
    under_way(house, "one", "two")
    house.commit({"a.py": "a = 2\n"})
    assert stays(house) and status.describe(house.project).standpoint.hint is None


def test_of_a_paused_batch_behind_newer_code_the_way_on_is_named(tmp_path: Path) -> None:
    house = House.built(tmp_path / "house", settle=0.0)
    under_way(house, "one", "two")
    house.commit({"a.py": "a = 2\n"})
    queue_of(house).pause()
    said = status.describe(house.project).standpoint
    assert said.hint == "What is left of it on the newer code: wtwatch release --after job"


def test_between_two_jobs_it_gives_way_and_the_run_tree_moves_at_once(house: House) -> None:
    one, _ = under_way(house, "one", "two")
    queue, old = queue_of(house), house.head()
    new = house.commit({"a.py": "a = 2\n"})
    Folder.of(house.project.state, one.id, 1).discard()
    queue.put_back(one.id, "the tree was not as it has to be")
    done = tick(house.project, TickOptions())
    assert done.gave_way == (1, 2) and done.moved and (done.moved.old, done.moved.new) == (old, new)
    assert [job.spec.command for job in queue.jobs(2)] == ["one", "two"] and house.head() == new
    assert codetree.facts_of(house.tree).tip == new and concerns_jobs(house.project, old, Sha(new))


def test_code_moves_only_when_the_last_job_in_a_lane_is_over_whose_batch_gave_way(house: House) -> None:
    beside, old = House(house.project._replace(lanes=2)), house.head()
    notes.begin(RunTree.of_lane(beside.project, 1))
    one, *_ = under_way(beside, "one", "two", lane=1)
    new = house.commit({"a.py": "a = 2\n"})
    done = tick(beside.project, TickOptions())
    assert done.gave_way == (1, 2) and done.moved is None and beside.head() == old
    assert queue_of(house).cancel_requested(one.id) is (house.project.on_move == "cancel")
    assert tick(beside.project, TickOptions()).moved is None and beside.head() == old
    queue_of(house).end(one.id, Ended(now(), now(), old, Outcome.CANCELLED, lane=1))
    assert tick(beside.project, TickOptions()).moved and beside.head() == new
