"""A house that commands know: its project is registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.project.config import write_project
from wtwatch.project.listing import register


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    write_project(house.project)
    register(house.project.name, house.project.state)
    return house
