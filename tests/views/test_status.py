"""What `status` collects and of what it says that somebody has to look."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.project import config
from wtwatch.project.config import register
from wtwatch.queue.jobs import Queue
from wtwatch.views import status
from wtwatch.words.model import JobSpec, Trigger, now, stamp


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def needs_you(house: House) -> list[str]:
    """Return why somebody has to look at this project, with a daemon that runs."""
    document = status.collect([house.project])
    return status.attention(document | {"daemon": {"running": True}}, service_installed=False)


def with_settings(house: House, text: str) -> House:
    """Return the house with settings that somebody wrote into its file."""
    config.write_project(house.project)
    file = house.project.state / "config.toml"
    file.write_text(file.read_text().replace("version = 1\n", "") + text)
    return House(config.read_project(file))


def test_a_setting_that_nobody_knows_asks_for_attention(house: House) -> None:
    assert needs_you(house) == []
    [said] = needs_you(with_settings(house, "setle = 5\n"))
    assert "there is no setting 'setle'; did you mean settle?" in said


def test_a_setting_of_a_newer_version_is_told_and_no_alarm(house: House) -> None:
    newer = with_settings(house, "version = 2\nlanes = 5\n")
    assert needs_you(newer) == []
    told = status.describe(newer.project)["settings"]
    assert told["newer"] and "'lanes'" in told["unknown"][0]


@pytest.mark.parametrize(("alarm", "told"), [(3600.0, False), (60.0, True)])
def test_who_holds_the_run_tree_for_longer_than_busy_alarm_asks_for_attention(
    house: House, alarm: float, told: bool
) -> None:
    patient = House(house.project._replace(busy_alarm=alarm))
    document = status.collect([patient.project]) | {"daemon": {"running": True}}
    since = stamp(now() - timedelta(minutes=10))
    document["projects"][0] |= {"freshness": "behind", "busy": [{"pid": 7, "name": "cat", "since": since}]}
    said = status.attention(document, service_installed=False)
    assert said == (["p: cat (pid 7) has held the run tree for 10 min."] if told else [])


@pytest.mark.parametrize("seconds", [10.0, 10_000.0])
def test_settling_is_told_by_the_same_count_that_a_tick_goes_by(house: House, seconds: float) -> None:
    slow = House(house.project._replace(settle=seconds))
    queue = Queue(slow.project.state)
    queue.add([JobSpec("true")], Trigger.ON_MOVE, slow.head())
    tip = slow.commit({"a.py": "a = 2\n"})
    assert status.describe(slow.project)["settling"] is None
    queue.note_tip(tip)
    left = status.describe(slow.project)["settling"]
    assert 0 < left <= seconds and left >= seconds - queue.still(tip) - 0.1
    queue.hurry(tip)
    assert status.describe(slow.project)["settling"] is None


def test_a_queue_whose_file_is_gone_says_so_until_that_was_seen(house: House, say: Say) -> None:
    register(house.project.name, house.project.state)
    config.write_project(house.project)
    queue = Queue(house.project.state)
    queue.add([JobSpec("true")], Trigger.ON_MOVE, house.head())
    assert needs_you(house) == []
    queue.file.unlink()
    for _ in range(2):
        [said] = needs_you(house)
        assert "the queue began anew" in said and "ack --all" in said
        queue.pause()  # which makes a new file
        queue.resume()
    say(house.project.main_tree, "ack", "--all")
    assert needs_you(house) == []
