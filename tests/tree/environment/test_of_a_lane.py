"""A lane's environment: results must not depend on where they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House, write
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment.commands import for_set_up


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose run tree has an environment of a Python that is not the one first on PATH."""
    house = House.built(tmp_path / "house", environment="auto")
    python = tmp_path / "else" / "bin" / "python3.12"
    write(python.parent, python.name, "#!/bin/sh\n")
    python.chmod(0o755)
    write(house.code, ".venv/pyvenv.cfg", f"home = {python.parent}\nversion_info = 3.12.4\n")
    return house


def asked(house: House, tree: RunTree) -> str | None:
    return for_set_up(tree).get("UV_PYTHON")


def test_it_is_made_with_the_python_of_the_run_tree(house: House, tmp_path: Path) -> None:
    lane = RunTree.of_lane(house.project, 1)
    assert asked(house, lane) == str(tmp_path / "else/bin/python3.12")


def test_the_run_tree_is_set_up_with_the_python_that_the_user_has(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON", "3.13")
    assert asked(house, house.tree) == "3.13"


@pytest.mark.parametrize("what", [".venv/pyvenv.cfg", "../../../else/bin/python3.12"])
def test_where_that_is_not_there_uv_chooses(house: House, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.delenv("UV_PYTHON", raising=False)
    (house.code / what).unlink()
    assert asked(house, RunTree.of_lane(house.project, 1)) is None
