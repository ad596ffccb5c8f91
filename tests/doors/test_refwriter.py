"""Refs that change one after another by one git, also where that is hindered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counting import programs
from tests.house import House
from wtwatch.doors import refs
from wtwatch.doors.refwriter import RefWriter
from wtwatch.doors.repo import Repo
from wtwatch.words.errors import CommandFailed
from wtwatch.words.model import Sha

ONE, TWO = "refs/wtwatch/x/done/1.1", "refs/wtwatch/x/laid/1.1"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def test_each_change_is_there_when_it_was_made_by_one_git(house: House) -> None:
    code, head = Repo(house.project.main_code), house.head(house.project.main_code)
    with programs() as started, RefWriter(code, "laid") as writer:
        writer.update({ONE: head})
        assert refs.tip_of(code, ONE) == head
        writer.update({TWO: head})
        writer.delete([ONE, TWO])
        assert refs.below(code, "refs/wtwatch/x/") == set()
    assert len(started) == 1


def test_packed_refs_go_as_well(house: House) -> None:
    code, head = Repo(house.project.main_code), house.head(house.project.main_code)
    with RefWriter(code, "laid") as writer:
        writer.update({ONE: head, TWO: head})
        house.git("pack-refs", "--all")
        writer.delete([ONE, TWO])
        assert refs.below(code, "refs/wtwatch/x/") == set()


@pytest.mark.slow  # it is waited for
def test_a_lock_that_a_killed_git_left_is_broken_and_all_goes_on(house: House) -> None:
    code, head = Repo(house.project.main_code), house.head(house.project.main_code)
    lock = code.common_dir() / f"{ONE}.lock"
    with RefWriter(code, "laid") as writer:
        lock.parent.mkdir(parents=True)
        lock.touch()
        writer.update({ONE: head, TWO: head})
        assert {refs.tip_of(code, ONE), refs.tip_of(code, TWO)} == {head}
        writer.delete([ONE, TWO])  # though the git that waited is gone
        assert refs.below(code, "refs/wtwatch/x/") == set()


def test_what_git_does_not_take_is_said_in_its_words(house: House) -> None:
    code = Repo(house.project.main_code)
    with RefWriter(code, "laid") as writer, pytest.raises(CommandFailed, match="1111"):
        writer.update({ONE: Sha("1" * 40)})
    assert refs.tip_of(code, ONE) is None
