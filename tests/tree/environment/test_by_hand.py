"""What somebody did to the environment by hand: it stays and is named, and what is locked stays as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests import packages
from tests.packages import project
from tests.tree.environment.world import World, touch
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict, note
from wtwatch.tree.environment.installed import read
from wtwatch.words.model import EnvironmentState as State


def locked(world: World, *needs: str) -> Verdict:
    """Move to a project of uv that has these locked."""
    wanted = ", ".join(f'"{one}"' for one in needs)
    text = project("p", f"dependencies = [{wanted}]", backend=False)
    return world.move({"pyproject.toml": text}, lock=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project of uv with one package locked, set up."""
    world = World.built(tmp_path)
    assert locked(world, "one==1") == Verdict(State.OK)
    return world


def test_a_package_by_hand_stays_through_moves_and_is_named(world: World) -> None:
    world.by_hand("two")
    verdict = locked(world, "one==2")
    assert verdict == Verdict(State.OK, "by hand: two; uv add two makes it part of code")
    assert (world.value("one"), world.value("two")) == ("2", "1")
    assert world.noted() == verdict
    assert note.Note.of(world.tree).by_hand == ("two",)
    world.say("uv", "pip", "uninstall", "-q", "-p", ".venv", "two")
    assert world.put_right() == Verdict(State.OK)


def test_a_package_by_hand_is_seen_before_a_batch_though_nothing_moved(world: World) -> None:
    before = note.Note.of(world.tree).fingerprint
    world.by_hand("three")
    assert world.put_right(batch=True).detail == "by hand: three, two; uv add three two makes it part of code"
    assert note.Note.of(world.tree).fingerprint not in ("", before)


def test_what_one_by_hand_needs_stays_with_it_when_code_wants_it_no_more(world: World) -> None:
    locked(world, "one==1", "two")
    world.by_hand("three")
    assert "three, two" in str(locked(world, "one==1").detail)
    assert world.value("two") == "1"


def test_a_package_by_hand_that_becomes_part_of_code_is_named_no_more(world: World) -> None:
    world.by_hand("two")
    assert locked(world, "one==1", "two") == Verdict(State.OK)
    assert locked(world, "one==1") == Verdict(State.OK) and world.value("two") == ""


def test_a_locked_package_that_was_replaced_by_hand_is_made_right(world: World) -> None:
    world.by_hand("one==2")
    assert world.put_right(batch=True) == Verdict(State.OK)
    assert world.value("one") == "1"


def test_where_the_setting_says_so_what_is_by_hand_goes_and_is_kept_aside(world: World) -> None:
    world.by_hand("two")
    exact = world.having(env_exact=True)
    assert exact.put_right(batch=True) == Verdict(State.OK)
    assert (exact.value("one"), exact.value("two")) == ("1", "")
    (kept,) = exact.aside()
    assert list(kept.glob("lib/*/site-packages/two.py"))
    assert exact.put_right(batch=True) == Verdict(State.OK) and len(exact.aside()) == 1


def test_a_locked_file_that_another_trees_edit_changed_is_made_right(world: World) -> None:
    (file,) = (world.code / ".venv").glob("lib/*/site-packages/one.py")
    touch(file, "V = 'edited'\n")  # uv's cache has the same file
    assert world.value("one") == "edited"
    assert world.put_right(batch=True) == Verdict(State.OK)
    assert world.value("one") == "1"
    (kept,) = world.aside()
    assert [path.read_text() for path in kept.rglob("one.py")] == ["V = 'edited'\n"]


def test_a_locked_file_that_is_gone_is_put_back(world: World) -> None:
    (file,) = (world.code / ".venv").glob("lib/*/site-packages/one.py")
    file.unlink()
    assert world.put_right(batch=True) == Verdict(State.OK)
    assert world.value("one") == "1"


def test_a_file_of_a_package_by_hand_may_be_edited(world: World) -> None:
    world.by_hand("two")
    world.put_right()
    (file,) = (world.code / ".venv").glob("lib/*/site-packages/two.py")
    touch(file, "V = 'edited'\n")
    assert world.put_right(batch=True).ready
    assert world.value("two") == "edited"


def test_an_environment_of_another_project_is_set_aside_and_one_of_its_own_made(world: World) -> None:
    other = world.code.parent / "other"
    (world.code / ".venv").rename(other)
    for script in (other / "bin").iterdir():
        if not script.is_symlink() and b"/code/.venv" in script.read_bytes():
            script.write_bytes(script.read_bytes().replace(b"/code/.venv", b"/other"))
    shutil.copytree(other, world.code / ".venv", symlinks=True)
    assert world.put_right(batch=True) == Verdict(State.OK)
    assert len(world.aside()) == 1 and world.value("one") == "1"
    assert str(other) not in (world.code / ".venv/bin/activate").read_text()


def test_one_whose_python_is_gone_is_set_aside_with_all_that_was_by_hand(world: World) -> None:
    world.by_hand("two")
    python = world.code / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nonexistent")
    assert world.put_right() == Verdict(State.OK)
    (kept,) = world.aside()
    assert list(kept.glob("lib/*/site-packages/two.py")) and world.value("one") == "1"


def test_a_set_up_that_was_cut_off_half_way_is_done_again(world: World) -> None:
    known = note.Note.of(world.tree)
    known._replace(state=note.BEGUN, detail="its set-up was cut off").write(world.tree)
    world.say("uv", "pip", "uninstall", "-q", "-p", ".venv", "one")
    assert world.noted().state is State.STALE
    assert world.put_right() == Verdict(State.OK) and world.value("one") == "1"


def test_what_a_set_up_that_was_cut_off_wrote_is_nobodys_edit_and_is_made_whole(world: World) -> None:
    known = note.Note.of(world.tree)
    known._replace(state=note.BEGUN, detail="its set-up was cut off").write(world.tree)
    (file,) = (world.code / ".venv").glob("lib/*/site-packages/one.py")
    file.unlink()
    file.write_text("V = ")
    assert world.put_right() == Verdict(State.OK)
    assert world.value("one") == "1" and world.aside() == []


def test_a_set_up_that_hangs_is_ended_and_the_old_one_stays(world: World) -> None:
    short = world.having(env_limit=0.5)
    backend = "import signal\nsignal.pause()\n"
    hangs = {"pyproject.toml": project("hangs"), "backend.py": backend, "uv.lock": None}
    verdict = short.move(hangs)
    assert verdict.state is State.BROKEN and "was not done after 0.5 s (env_limit)" in str(verdict.detail)
    assert short.value("one") == "1"
    assert short.noted() == verdict


def test_the_fingerprint_is_of_what_is_installed_wherever_it_lies(tmp_path: Path) -> None:
    found = []
    for name in ("a", "much-longer-than-that"):
        world = World.built(tmp_path / name)
        packages.wheel(world.wheels, "one", "1")
        locked(world, "one==1")
        found.append(read(world.code / ".venv"))
    assert found[0].fingerprint() == found[1].fingerprint()
    world.by_hand("two")
    assert read(world.code / ".venv").fingerprint() != found[0].fingerprint()


def test_looking_at_what_is_installed_writes_nothing(world: World) -> None:
    prefix = world.code / ".venv"
    before = {path: os.lstat(path).st_mtime_ns for path in prefix.rglob("*")}
    world.put_right(batch=True)
    assert {path: os.lstat(path).st_mtime_ns for path in prefix.rglob("*")} == before


def test_records_say_what_was_installed_and_what_of_it_by_hand(world: World) -> None:
    before = dict(environment.packages(world.tree))
    assert before["python"].startswith("CPython 3.") and "by_hand" not in before
    world.by_hand("two")
    after = dict(environment.packages(world.tree))
    assert after["by_hand"] == "two" and after["fingerprint"] != before["fingerprint"]


def test_of_an_environment_of_conda_the_packages_count_and_it_needs_no_python(tmp_path: Path) -> None:
    command = "mkdir -p .venv/conda-meta .venv/bin && cp environment.yml .venv/conda-meta/bet-1.0-0.json"
    world = World.built(tmp_path, environment=command)
    assert world.move({"environment.yml": "x\n"}) == Verdict(State.OK)
    before = dict(environment.packages(world.tree))
    (world.code / ".venv/conda-meta/bet-1.0-0.json").rename(world.code / ".venv/conda-meta/bet-2.0-0.json")
    assert dict(environment.packages(world.tree))["fingerprint"] != before["fingerprint"]
