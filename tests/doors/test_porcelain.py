"""What git prints, read as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.porcelain import GitObject
from wtwatch.doors.repo import Repo


def objects(house: House, *names: str) -> tuple[GitObject | None, ...]:
    with Repo(house.code).ask_objects(*names) as asking:
        return asking.objects()


def test_a_tree_is_read_the_same_as_bytes_and_as_values(tmp_path: Path) -> None:
    house = House.built(tmp_path)
    house.edit("a link", "-> a.py")
    house.edit("é", "1\n")
    house.here("add", "-A")
    house.here("commit", "-q", "-m", "more")
    (tree,) = objects(house, "HEAD^{tree}")
    assert tree is not None
    raw = tree.raw_entries()
    assert raw is not None and len(raw) >= 4
    as_values = [(mode.decode().zfill(6), name.decode(), sha.hex()) for mode, name, sha in raw]
    assert as_values == [(one.mode, one.path, one.sha) for one in tree.entries()]


@pytest.mark.parametrize("damage", [b"", b"x", b"100644 name\0too short", b"100644 name"])
def test_what_is_no_sound_tree_has_no_entries(tmp_path: Path, damage: bytes) -> None:
    tree, commit = objects(House.built(tmp_path), "HEAD^{tree}", "HEAD")
    assert tree is not None and commit is not None
    assert commit.raw_entries() is None
    assert (tree._replace(body=tree.body + damage).raw_entries() is None) == bool(damage)
