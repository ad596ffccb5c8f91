from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually
from tests.moves import GIT_MOVES, JJ_MOVES, MovingCode, by_rung_bell, by_update_ref
from wtwatch.daemon.places import RACY, Fingerprint, Places, caught, fingerprint, places, truth

Move = Callable[[MovingCode], None]


def settled(at: Places) -> Fingerprint:
    """Return a fingerprint that stays until something moves."""
    eventually(lambda: fingerprint(at) == fingerprint(at))
    return fingerprint(at)


def settled_net(at: Places) -> Fingerprint:
    """Return what tells of the files of a truth, once the last change is old enough to count."""
    eventually(lambda: caught(at)[-1] is None)
    return caught(at)


@pytest.fixture
def house(tmp_path: Path) -> MovingCode:
    return MovingCode.built(tmp_path / "house")


def test_nothing_moved_means_equal_fingerprints(house: MovingCode) -> None:
    at = places(house.project)
    before = settled(at)
    house.git("status")
    house.git("log", "--all")
    house.git("branch", "elsewhere")
    assert fingerprint(at) == before


@pytest.mark.parametrize("move", [*GIT_MOVES, by_rung_bell], ids=lambda move: move.__name__)
@pytest.mark.parametrize("bookmark", ["runs", "team/a/runs"])
def test_every_move_changes_the_fingerprint(tmp_path: Path, bookmark: str, move: Move) -> None:
    house = MovingCode.built(tmp_path / "house", bookmark)
    at = places(house.project)
    before, net = settled(at), settled_net(at)
    move(house)
    assert fingerprint(at) != before
    assert caught(at) != net or move is by_rung_bell


@pytest.mark.parametrize("move", JJ_MOVES, ids=lambda move: move.__name__)
def test_every_move_by_jj_changes_the_fingerprint(house: MovingCode, move: Move) -> None:
    house.let_jj_drive()
    at = places(house.project)
    before, net = settled(at), settled_net(at)
    move(house)
    assert fingerprint(at) != before
    assert caught(at) != net


def test_a_change_at_the_same_moment_as_the_last_one_shows(house: MovingCode) -> None:
    at = places(house.project)
    packed = house.common / "packed-refs"

    def shows() -> bool:
        settled(at)
        packed.write_text("one")
        moment = packed.stat().st_mtime_ns
        found = fingerprint(at)
        if time.time_ns() - moment >= RACY:  # the machine was busy, and it was another moment by then
            return False
        packed.write_text("two")
        os.utime(packed, ns=(moment, moment))  # as a clock that ticks slowly would have it
        assert fingerprint(at) != found
        return True

    eventually(shows)


@pytest.mark.parametrize("file", ["state.db", "config.toml"])
def test_a_change_of_the_queue_or_the_settings_changes_the_fingerprint(house: MovingCode, file: str) -> None:
    at = places(house.project)
    before = settled(at)
    (house.project.state / file).write_text("new")
    assert fingerprint(at) != before


def test_a_run_tree_that_is_taken_elsewhere_or_away_changes_the_fingerprint(house: MovingCode) -> None:
    at = places(house.project)
    before = settled(at)
    house.git("checkout", "-q", "--detach", "b", cwd=house.project.run_code)
    elsewhere = settled(at)
    assert elsewhere != before
    shutil.rmtree(house.project.run_code)
    assert settled(at) != elsewhere


def test_taking_a_fingerprint_leaves_locks_on_the_queue_alone(house: MovingCode) -> None:
    database = house.project.state / "state.db"
    writes = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('create table b (x)')"
    ours = sqlite3.connect(database, isolation_level=None)
    ours.execute("begin exclusive")
    fingerprint(places(house.project))
    other = subprocess.run(
        [sys.executable, "-c", writes, str(database)], check=False, capture_output=True, text=True
    )
    assert "database is locked" in other.stderr
    ours.close()


def test_a_run_tree_that_is_missing_or_not_set_up_is_left_out(house: MovingCode) -> None:
    own = house.common / "worktrees" / "code"
    assert own in places(house.project).folders
    shutil.rmtree(house.project.run_code)
    assert own not in places(house.project).folders
    house.git("init", "-q", cwd=house.project.run_tree)
    house.project.run_code.mkdir()  # as a submodule that is not checked out
    assert own not in places(house.project).folders


def test_the_chain_goes_from_the_git_directory_down_to_the_bookmark(tmp_path: Path) -> None:
    house = MovingCode.built(tmp_path / "house", "team/a/runs")
    chain = [
        house.common / below for below in ("", "refs", "refs/heads", "refs/heads/team", "refs/heads/team/a")
    ]
    assert list(places(house.project).folders[:5]) == chain


def test_the_operations_of_jj_are_found_from_a_secondary_workspace(tmp_path: Path) -> None:
    house = MovingCode.built(tmp_path / "house")
    shutil.rmtree(house.common)  # jj makes workspaces in empty folders only
    store = tmp_path / "store"
    store.mkdir()
    subprocess.run(["jj", "--quiet", "git", "init", "--no-colocate", "."], cwd=store, check=True)
    subprocess.run(["jj", "--quiet", "workspace", "add", str(house.code)], cwd=store, check=True)
    house.git("init", "-q")
    at = places(house.project)
    assert store / ".jj" / "repo" / "op_heads" / "heads" in at.folders
    before = settled(at)
    subprocess.run(["jj", "--quiet", "new"], cwd=house.code, check=True)
    assert fingerprint(at) != before


def test_a_move_in_a_repository_with_reftables_changes_the_fingerprint(house: MovingCode) -> None:
    tables = house.common / "reftable"  # git 2.45 and later write these files, by rename
    tables.mkdir()
    (tables / "tables.list").write_text("one.ref\n")
    at = places(house.project)
    before = settled(at)
    (tables / "tables.list.lock").write_text("two.ref\n")
    (tables / "tables.list.lock").rename(tables / "tables.list")
    assert fingerprint(at) != before


def test_bookmarks_beneath_the_bookmarks_name_are_no_trouble(house: MovingCode) -> None:
    at = places(house.project)
    house.git("update-ref", "-d", house.ref)
    house.git("branch", "runs/alt", "a")
    before = settled(at)
    house.git("branch", "-D", "runs/alt")
    by_update_ref(house)
    assert fingerprint(at) != before


def test_a_move_where_a_symbolic_bookmark_leads_changes_the_fingerprint(house: MovingCode) -> None:
    house.git("branch", "deep/trunk", "a")
    before = settled(places(house.project))
    house.git("symbolic-ref", house.ref, "refs/heads/deep/trunk")
    at = places(house.project)
    assert house.common / "refs/heads/deep" in at.folders
    assert len(set(at.folders)) == len(at.folders)
    led = settled(at)
    assert led != before
    house.git("update-ref", "refs/heads/deep/trunk", "b")
    assert fingerprint(at) != led


CAUGHT: dict[str, Callable[[House], object]] = {
    "a commit in the run tree": lambda house: house.git(
        "commit", "-q", "--allow-empty", "-m", "x", cwd=house.project.run_tree
    ),
    "a commit in its code": lambda house: house.here("commit", "-q", "--allow-empty", "-m", "x"),
    "the run tree is off its branch": lambda house: house.git(
        "checkout", "-q", "--detach", cwd=house.project.run_tree
    ),
    "the applied ref is elsewhere": lambda house: house.git(
        "update-ref", house.tree.applied_ref, house.commit({"a.py": "x"}, bookmark=False)
    ),
    "it is gone": lambda house: house.git("update-ref", "-d", house.tree.applied_ref),
    "the run tree is gone": lambda house: house.project.run_tree.rename(
        house.project.run_tree.with_name("away")
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("change", CAUGHT)
def test_whatever_changes_the_truth_is_caught(tmp_path: Path, change: str, packed: bool) -> None:
    house = House.built(tmp_path)
    if packed:
        house.git("pack-refs", "--all")
        house.git("pack-refs", "--all", cwd=house.project.main_tree)
    at = places(house.project)
    before, net = truth(house.project), settled_net(at)
    assert caught(at) == net
    CAUGHT[change](house)
    assert truth(house.project) != before
    assert caught(at) != net
