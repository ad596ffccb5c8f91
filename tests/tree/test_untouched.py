"""Code of which files tell that nobody edited it: git finds no edit there either."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import FILES, House
from tests.lab import eventually
from wtwatch.doors.repo import Repo
from wtwatch.tree import bytewise, untouched


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def is_clean(house: House) -> bool:
    code = house.code
    left = untouched.look(str(code), str(Repo(code).git_dir() / "index"))
    return left is not None and untouched.is_clean(left, house.here("rev-parse", "HEAD^{tree}"))


def age(house: House) -> None:
    """Have the index be of a later second than all files, as it is of code that nobody moved for a while.

    And have the clock of the file system, which may tick every 10 ms only, be past the last change.
    """
    later = time.time() + 10
    os.utime(Repo(house.code).git_dir() / "index", (later, later))
    clock = house.project.state / "clock"
    clock.touch()
    before = clock.stat().st_mtime_ns

    def ticked() -> bool:
        clock.touch()
        return clock.stat().st_mtime_ns > before

    eventually(ticked)


def test_what_git_has_just_checked_out_is_clean(house: House) -> None:
    assert is_clean(house)
    house.here("checkout", "-q", "--detach", house.commit({"a.py": "a = 2\n", "new/deep/l": "-> ../../a.py"}))
    assert is_clean(house)
    (house.code / "a.py").touch()
    assert is_clean(house), "byte for byte"


def _replaced_folder(house: House) -> None:
    (house.code / "d").rename(house.code.parent / "elsewhere")
    (house.code / "d").symlink_to("../elsewhere")


def _staged_new(house: House) -> None:
    house.edit("new.py", "")
    house.here("add", "new.py")


def _staged_and_undone(house: House) -> None:
    house.edit("a.py", "a = 99\n")
    house.here("add", "a.py")
    house.edit("a.py", FILES["a.py"])


def _unlooked(house: House) -> None:
    house.here("update-index", "--assume-unchanged", "a.py")
    house.edit("a.py", "a = 9\n")


EDITS: dict[str, Callable[[House], object]] = {
    "of the same size": lambda house: house.edit("a.py", "a = 9\n"),
    "longer": lambda house: house.edit("d/x.py", "x = 10\n"),
    "to a program": lambda house: (house.code / "b.py").chmod(0o755),
    "to a link": lambda house: house.edit("b.py", "-> a.py"),
    "gone": lambda house: house.edit("d/y.py", None),
    "a folder that lies elsewhere": _replaced_folder,
    "not to be looked at": _unlooked,
    "new and staged": _staged_new,
    "staged to go": lambda house: house.here("rm", "-q", "--cached", "a.py"),
    "staged and undone": _staged_and_undone,
}


@pytest.mark.parametrize("long_ago", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_left_to_git(house: House, edit: str, long_ago: bool) -> None:
    if long_ago:
        age(house)
    EDITS[edit](house)
    assert not is_clean(house)


def test_of_files_that_lie_there_for_longer_none_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(house)
    monkeypatch.setattr(bytewise, "blob_id", None)
    assert is_clean(house)


def test_more_files_that_have_to_be_read_than_git_would_read_quicker_are_left_to_git(house: House) -> None:
    many = house.commit({f"more/{number}.py": f"{number}\n" for number in range(60)})
    house.here("checkout", "-q", "--detach", many)
    os.utime(Repo(house.code).git_dir() / "index", (1, 1))  # whatever second ended meanwhile
    assert not is_clean(house)
