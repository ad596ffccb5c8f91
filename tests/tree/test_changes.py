"""What differs in a repository is the same whether one git tells it or two do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.tree import changes
from wtwatch.tree.changes import changes_in


def untidy(house: House) -> Path:
    """Make a tree in which much differs, under names of all kinds; return a file of what git ignores."""
    code = house.code
    house.edit("a.py", "mine\n")
    house.edit("b.py", "-> a.py")
    house.edit("d/x.py", None)
    house.here("mv", "d/y.py", "d/moved.py")
    for name in ("é.py", "a b", "x\ny", "-z", "d/new/deep/n.py", "out.log", ".venv/lib/m.py", "no/kept.out"):
        house.edit(name, "1\n")
    house.edit("staged", "1\n")
    house.here("add", "staged")
    with open(os.fsencode(code) + b"/\xff.bin", "wb"):  # noqa: PTH123 - no text
        pass
    (code / "empty").mkdir()
    (code / "to-a-folder").symlink_to("d")
    house.git("init", "-q", str(code / "inner" / "repo"))
    house.edit("inner/repo/file", "1\n")
    house.git("worktree", "add", "-q", "--detach", str(code / "inner" / "tree"))
    os.mkfifo(code / "pipe")
    ignored = code.parent / "ignored"
    ignored.write_text("*.out\n")
    return ignored


@pytest.mark.parametrize("whole", [False, True])
def test_two_gits_tell_what_one_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    house = House.built(tmp_path)
    ignored = untidy(house)
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.excludesFile",
        "GIT_CONFIG_VALUE_0": str(ignored),
    }
    if whole:
        env = {}
    one = changes_in(house.code, env)
    monkeypatch.setattr(changes, "LARGE", 0)
    assert changes_in(house.code, env) == one
    names = [change.path for change in one if change.untracked]
    assert len(names) >= 9 and ("no/kept.out" in names) is whole and "\udcff.bin" in names
    assert [change.path for change in one if change.tracked]


def test_in_a_repository_without_a_commit_all_is_new(tmp_path: Path) -> None:
    house = House.built(tmp_path / "house")
    house.git("init", "-q", str(tmp_path / "new"))
    (tmp_path / "new" / "file").touch()
    assert [change.path for change in changes_in(tmp_path / "new", {})] == ["file"]
