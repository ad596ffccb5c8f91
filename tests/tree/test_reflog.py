"""What was done in a work tree is told from what git does to its reflog by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.repo import Repo
from wtwatch.tree import reflog


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path / "house")
    house.commit({"a.py": "a = 2\n"})
    house.sync()
    return house


def test_each_commit_and_checkout_makes_another_last_entry_also_there_and_back(house: House) -> None:
    seen = [reflog.last_in(Repo(house.code))]
    first = house.git("rev-parse", "runs~1")
    back_and_forth = [("checkout", "-q", first), ("checkout", "-q", "-")] * 3
    for words in [("commit", "-q", "--allow-empty", "-m", "x"), *back_and_forth]:
        house.here(*words)
        seen.append(reflog.last_in(Repo(house.code)))
    assert len(set(seen)) == len(seen) == 8


def test_housekeeping_changes_the_file_and_not_the_last_entry(house: House) -> None:
    log = Repo(house.code).git_dir() / "logs" / "HEAD"
    before, entry = log.read_bytes(), reflog.last_in(Repo(house.code))
    house.git("gc", "-q")
    assert log.read_bytes() != before, "else git does no more what this is for"
    assert reflog.last_in(Repo(house.code)) == entry
    assert list(reflog.since(Repo(house.code), entry)) == []


def test_what_came_after_an_entry_is_told_also_if_it_was_dropped_since(house: House) -> None:
    entry = reflog.last_in(Repo(house.code))
    house.here("checkout", "-q", house.git("rev-parse", "runs~1"))
    [why] = reflog.since(Repo(house.code), entry)
    assert why.startswith("checkout: moving from ")
    house.here("reflog", "delete", "HEAD@{1}")
    assert why in reflog.since(Repo(house.code), entry)
    house.here("reflog", "expire", "--expire=now", "HEAD")
    assert reflog.last_in(Repo(house.code)) == "" and not list(reflog.since(Repo(house.code), entry))


def test_of_a_long_history_the_end_is_enough(house: House) -> None:
    log = Repo(house.code).git_dir() / "logs" / "HEAD"
    log.write_bytes(log.read_bytes() * 2000)
    assert reflog.last_in(Repo(house.code)).endswith(log.read_text().splitlines()[-1].partition("\t")[0])
    (Repo(house.code).git_dir() / "logs" / "HEAD").unlink()
    assert reflog.last_in(Repo(house.code)) == ""
