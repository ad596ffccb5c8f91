"""Environments by poetry and by setuptools themselves, which are fetched first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tree.environment.world import World
from wtwatch.project.excludes import excludes_env
from wtwatch.tree.environment import Verdict
from wtwatch.words.model import EnvironmentState as State

pytestmark = pytest.mark.slow


class Tools(NamedTuple):
    """Where poetry is, and a folder with the wheel of setuptools."""

    poetry: Path
    wheels: Path


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Fetch them before the room is shut, as `make test` fetches what it needs."""
    root = tmp_path_factory.mktemp("tools")
    pip = [str(root / "venv" / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check"]
    for words in (
        [sys.executable, "-m", "venv", str(root / "venv")],
        [*pip, "install", "poetry"],
        [*pip, "download", "--no-deps", "--dest", str(root / "wheels"), "setuptools"],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return Tools(root / "venv" / "bin", root / "wheels")


@pytest.fixture
def world(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in whose shell an environment of the main tree is active, with poetry on PATH."""
    world = World.built(tmp_path)
    other = world.house.project.main_tree / ".venv"
    world.say("uv", "venv", "-q", str(other))
    for file in tools.wheels.iterdir():
        (world.wheels / file.name).symlink_to(file)
    monkeypatch.setenv("VIRTUAL_ENV", str(other))
    monkeypatch.setenv("PATH", os.pathsep.join([f"{other}/bin", os.environ["PATH"], str(tools.poetry)]))
    return world


def locked(world: World, version: int) -> Verdict:
    """Move to a project that poetry has locked, with that version of a package."""
    needs = f"one @ file://{world.wheels}/one-{version}-py3-none-any.whl"
    text = (
        f'[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11,<4"\ndependencies = ["{needs}"]\n'
    )
    main = world.house.project.main_code
    (main / "pyproject.toml").write_text(f"{text}[tool.poetry]\npackage-mode = false\n")
    world.say("poetry", "lock", "--no-interaction", cwd=main)
    return world.move({})


def test_poetry_sets_up_the_run_trees_own_environment(world: World) -> None:
    assert locked(world, 1) == Verdict(State.OK)
    assert world.value("one", "__file__").startswith(str(world.code / ".venv"))
    assert not list(world.house.project.main_tree.glob(".venv/lib/*/site-packages/one.py"))
    world.by_hand("two")
    assert locked(world, 2).detail == "by hand: two; poetry add two makes it part of code"
    assert (world.value("one"), world.value("two")) == ("2", "1")


def test_a_setup_script_is_installed_so_that_edits_are_seen(world: World) -> None:
    setup = "from setuptools import setup\nsetup(name='m', version='1', py_modules=['m'])\n"
    assert world.move({"setup.py": setup, "m.py": "V = 1\n"}) == Verdict(State.OK)
    told = os.environ | excludes_env(world.tree)
    words = ["git", "status", "--porcelain"]
    done = subprocess.run(words, cwd=world.code, env=told, capture_output=True, text=True, check=True)
    assert done.stdout == "", "what it leaves in code holds no job up"
    assert world.value("m", "__file__") == str(world.code / "m.py")
    assert world.move({"m.py": "V = 2\n"}) == Verdict(State.OK)
    assert world.value("m") == "2"
