"""`wtwatch queue`: what it says and does beyond the queue's own rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.job.attempt import Folder
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import JobSpec, Trigger


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    write_project(house.project)
    register(house.project.name, house.project.state)
    return house


def test_a_removed_job_takes_its_folders_along_but_not_what_it_left(house: House, say: Say) -> None:
    project = house.project
    Queue(project.state).add([JobSpec("one"), JobSpec("two")], Trigger.ON_MOVE, house.head())
    folders = [Folder.of(project.state, job, attempt).path for job, attempt in ((1, 1), (1, 2), (2, 1))]
    for folder in folders:
        folder.mkdir(parents=True)
    left = house.tree.shelf / "jobs" / "1.1"
    left.mkdir(parents=True)
    said = say(project.main_tree, "queue", "remove", "1").out
    assert [folder.exists() for folder in folders] == [False, False, True]
    assert left.is_dir() and str(left) in said
    say(project.main_tree, "queue", "remove", "1", code=2)


@pytest.mark.parametrize("verb", ["show", "logs", "cancel", "retry", "remove"])
def test_a_number_that_is_too_great_is_no_job(house: House, say: Say, verb: str) -> None:
    Queue(house.project.state).add([JobSpec("one")], Trigger.ON_MOVE, house.head())
    said = say(house.project.main_tree, "queue", verb, "9" * 24, code=2)
    assert "There is no job 999" in said.err
