"""What `status` collects and of what it says that somebody has to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.project import config
from wtwatch.views import status


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
