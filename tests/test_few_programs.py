"""What a tick costs that no clock has to tell: programs, of which each takes milliseconds, and disk syncs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.counting import programs
from tests.house import House
from tests.packages import project
from tests.tree.environment.world import World
from wtwatch.project.tree import RunTree
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.tree import codetree
from wtwatch.views import keeping
from wtwatch.words.model import Sha

WORK = TickOptions(start_jobs=True)


@pytest.fixture(params=["git", "jj"])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> House:
    """A house whose run tree is in step; code of the main tree is driven by git, or by a colocated jj."""
    house = House.built(tmp_path / "house")
    if request.param == "jj":
        house.git("checkout", "-q", "--detach")
        jj(house, "git", "init", "--colocate")
    tick(house.project, WORK)
    return house


def jj(house: House, *words: str) -> None:
    subprocess.run(["jj", "--quiet", *words], cwd=house.project.main_code, check=True, capture_output=True)


def is_by_jj(house: House) -> bool:
    return (house.project.main_code / ".jj").is_dir()


def move(house: House, text: str) -> Sha:
    """Move the bookmark to a new commit, by whichever tool drives code."""
    if not is_by_jj(house):
        return house.commit({"a.py": text})
    new = house.commit({"a.py": text}, bookmark=False)
    jj(house, "bookmark", "set", house.project.bookmark, "-r", new)
    return new


def test_a_tick_that_finds_nothing_starts_no_program(house: House) -> None:
    with programs() as started:
        assert tick(house.project, WORK) == Done()
    assert started == []


def test_a_move_starts_few_programs_and_the_tick_after_it_none(house: House) -> None:
    for text in ("a = 2\n", "a = 3\n", "a = 4\n"):
        new = move(house, text)
        with programs() as started:
            assert tick(house.project, WORK).pointer
        assert len(started) <= (14 if is_by_jj(house) else 12), started
        house.assert_exactly_at(new)
        with programs() as started:
            assert tick(house.project, WORK) == Done()
        assert started == []


def test_after_a_move_the_daemons_own_view_takes_one_program(house: House) -> None:
    for text in ("a = 2\n", "a = 3\n"):
        new = move(house, text)
        tick(house.project, WORK)
        with programs() as started:
            seen = keeping.keep(house.project, os.getpid())
        assert (seen.shown.tip, seen.shown.edited) == (new, False)
        gits = [words for words in started if words[0] == "git"]  # jj is asked if it did anything since
        assert len(gits) <= 1, [" ".join(words[2:])[-200:] for words in started]


def test_a_tick_that_starts_no_program_sees_what_somebody_did_to_the_tree(house: House) -> None:
    there = RunTree.of(house.project)
    assert codetree.at_rest(there)
    first = house.head()
    house.here("checkout", "-q", "-b", "mine")
    assert codetree.at_rest(there) is None
    assert "mine" in (tick(house.project, WORK).waits or "")
    house.here("checkout", "-q", "--detach")
    assert tick(house.project, WORK) == Done()
    house.here("commit", "-q", "--allow-empty", "-m", "by hand")
    assert "commits of its own" in (tick(house.project, WORK).waits or "")
    house.here("checkout", "-q", "--detach", first)
    assert tick(house.project, WORK) == Done()


def test_after_the_pointer_only_the_command_of_the_environment_is_run(tmp_path: Path) -> None:
    house = House.built(tmp_path / "house", environment="true")
    python = house.code / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    tick(house.project, WORK)
    house.commit({"a.py": "a = 2\n"})
    with programs() as started:
        assert tick(house.project, WORK).pointer
    assert [words[0] for words in started[-2:]] == ["git", "true"], started
    with programs() as started:
        assert tick(house.project, WORK) == Done()
    assert started == []


def test_after_the_pointer_uv_is_asked_once_whether_anything_lacks(tmp_path: Path) -> None:
    world = World.built(tmp_path)
    pyproject = project("p", 'dependencies = ["one==1"]', backend=False)
    assert world.move({"pyproject.toml": pyproject}, lock=True).ready
    tick(world.house.project, WORK)
    world.house.commit({"a.py": "a = 2\n"})
    with programs() as started:
        assert tick(world.house.project, WORK).pointer
    assert [words[0] for words in started].count("uv") == 1 and started[-1][0] == "uv", started
    with programs() as started:
        assert tick(world.house.project, WORK) == Done()
    assert started == []


def test_a_move_waits_for_the_disk_at_its_journal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite syncs by itself, beside the move or after it."""
    house = House.built(tmp_path / "house")
    tick(house.project, WORK)
    house.commit({"a.py": "a = 2\n"})
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert tick(house.project, WORK).pointer
    assert len(synced) <= 2  # the file, and its name
