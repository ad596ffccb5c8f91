"""One truth of where the bookmark is, whichever tool moved it last."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.moves import (
    GIT_MOVES,
    JJ_MOVES,
    MovingCode,
    by_git_under_jj,
    by_jj_bookmark,
    by_update_ref,
    deleted,
)
from wtwatch.tree import tip
from wtwatch.tree.tip import Tip
from wtwatch.words.model import Sha


@pytest.fixture
def house(tmp_path: Path) -> MovingCode:
    return MovingCode.built(tmp_path / "house")


def at(house: MovingCode) -> Tip:
    return Tip(Sha(house.tip()) if house.tip() else None)


@pytest.mark.parametrize("move", [*GIT_MOVES, *JJ_MOVES], ids=lambda move: move.__name__)
def test_the_tip_is_where_the_last_move_left_it(house: MovingCode, move: object) -> None:
    house.let_jj_drive()
    assert callable(move)
    for way in (move, by_update_ref, by_jj_bookmark):
        way(house)
        assert tip.read(house.project) == at(house)


def test_where_nothing_moved_no_program_starts(house: MovingCode, monkeypatch: pytest.MonkeyPatch) -> None:
    house.let_jj_drive()
    before = tip.read(house.project)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert tip.read(house.project) == before


def test_jj_is_asked_anew_if_that_is_wished(house: MovingCode) -> None:
    house.let_jj_drive()
    before = tip.read(house.project)
    assert tip.ask(house.project, anew=True)() == before


@pytest.mark.parametrize("hindrance", ["jj has a git directory of its own", "git holds the branch's lock"])
def test_a_bookmark_that_jj_has_not_exported_is_known_from_jj(house: MovingCode, hindrance: str) -> None:
    before, goal = house.tip(), house.git("rev-parse", "c")
    if hindrance.startswith("jj"):
        house.let_jj_drive_apart()
    else:
        house.let_jj_drive()
        (house.common / f"{house.ref}.lock").touch()
    house.jj("bookmark", "set", "runs", "--allow-backwards", "-r", "c")
    assert house.tip() == before != goal
    assert tip.read(house.project) == Tip(Sha(goal))


def test_where_both_moved_the_bookmark_and_jj_could_not_export_it_is_nowhere(house: MovingCode) -> None:
    house.let_jj_drive_apart()
    house.jj("bookmark", "set", "runs", "--allow-backwards", "-r", "c")
    house.git("update-ref", house.ref, "b")
    assert tip.read(house.project) == Tip(None, "conflicted")


def test_a_bookmark_that_git_moved_after_jj_is_where_git_has_it(house: MovingCode) -> None:
    house.let_jj_drive()
    house.jj("bookmark", "set", "runs", "--allow-backwards", "-r", "c")
    (house.common / house.ref).write_text(house.git("rev-parse", "b") + "\n")
    assert tip.read(house.project) == at(house) == Tip(Sha(house.git("rev-parse", "b")))


@pytest.mark.parametrize(
    "way", [("edit", "runs"), ("bookmark", "set", "runs", "-r", "@", "--allow-backwards")]
)
def test_a_bookmark_on_the_working_copy_commit_is_told_apart(house: MovingCode, way: tuple[str, ...]) -> None:
    house.let_jj_drive()
    by_git_under_jj(house)
    assert not tip.read(house.project).working_copy
    house.jj(*way, *(["--ignore-immutable"] if way[0] == "edit" else []))
    assert tip.read(house.project) == at(house)._replace(working_copy=True)
    house.jj("new")
    assert tip.read(house.project) == at(house)


def test_a_bookmark_that_git_deleted_is_gone(house: MovingCode) -> None:
    deleted(house)
    assert tip.read(house.project) == Tip(None)
