"""What commands change shows at once where the daemon keeps it: they ring."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.doors.files import bell_in
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import JobSpec, Trigger

CHANGES = ("queue pause", "queue resume", "queue cancel 1", "queue remove 1", "ack --all", "merge")


@pytest.mark.parametrize("words", CHANGES)
def test_a_command_that_changes_what_prompts_show_rings(tmp_path: Path, say: Say, words: str) -> None:
    house = House.built(tmp_path)
    write_project(house.project)
    register("p", house.project.state)
    Queue(house.project.state).add([JobSpec("true")], Trigger.ON_MOVE, house.head())
    bell = bell_in(house.project.main_code / ".git")
    bell.parent.mkdir(exist_ok=True)
    bell.touch()
    os.utime(bell, (1, 1))
    say(house.project.main_tree, *words.split())
    assert bell.stat().st_mtime > 1
