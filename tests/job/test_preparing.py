"""Outputs before a command: links into the annex become files; absent ones are removed only if named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wtwatch.job.preparing import is_lacking, make_writable, outside


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A folder with files of an annex as git-annex lays them out: here, absent, unlocked and absent."""
    content = tmp_path / ".git/annex/objects/x/K1/K1"
    content.parent.mkdir(parents=True)
    content.write_text("old\n")
    content.chmod(0o444)
    os.utime(content, (1_000_000_000, 1_000_000_000))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/here").symlink_to("../.git/annex/objects/x/K1/K1")
    (tmp_path / "out/absent").symlink_to("../.git/annex/objects/x/K2/K2")
    (tmp_path / "out/pointer").write_text("/annex/objects/K3\n")
    (tmp_path / "out/link").symlink_to("here")
    return tmp_path


def test_in_a_declared_folder_what_is_here_can_be_written_to_and_what_is_absent_stays(top: Path) -> None:
    make_writable([top / "out"])
    here = top / "out/here"
    assert not here.is_symlink() and here.read_text() == "old\n" and here.stat().st_mode & 0o777 == 0o644
    assert here.stat().st_mtime == 1_000_000_000
    assert (top / "out/absent").is_symlink() and (top / "out/link").is_symlink()
    assert (top / "out/pointer").read_text() == "/annex/objects/K3\n"


def test_an_absent_file_is_removed_where_it_is_the_declared_output_itself(top: Path) -> None:
    make_writable([top / "out/absent", top / "out/pointer", top / "out/none", top / "out/link"])
    assert sorted(path.name for path in (top / "out").iterdir()) == ["here", "link"]
    assert (top / "out/here").is_symlink()


def test_inputs_lack_something_where_content_is_absent_or_nothing_is_there(top: Path) -> None:
    names = ("here", "absent", "pointer", "none")
    assert [is_lacking([top / "out" / name]) for name in names] == [False, True, True, True]
    assert is_lacking([top / "out"]) and not is_lacking([])


def test_what_looks_absent_and_is_not_of_the_annex_is_nothing_that_inputs_lack(top: Path) -> None:
    folder = top / "in"
    folder.mkdir()
    (folder / "to a pointer").symlink_to("../out/pointer")
    (folder / "to a folder").symlink_to("../out")
    (folder / "to nothing").symlink_to("none")
    (folder / "long").write_text(f"/annex/objects/K{' ' * 32768}")
    os.mkfifo(folder / "pipe")
    assert not is_lacking([folder, *(path for path in folder.iterdir() if path.name != "to nothing")])
    assert is_lacking([folder / "to nothing"]), "declared by its name, it has to be there"


def test_what_lies_outside_or_behind_a_link_is_told_and_the_link_itself_left_alone(top: Path) -> None:
    tree = top / "tree"
    tree.mkdir()
    (tree / "far").symlink_to("../out")
    inside = [f"{tree}/x", f"{tree}/far", f"{tree}/far/", f"{tree}/far/new", f"{tree}/y/../x", f"{tree}/."]
    elsewhere = [f"{tree}/far/here", f"{tree}/./far/absent", f"{tree}/../out/here", f"{tree}-2/x"]
    assert outside(inside + elsewhere, tree) == elsewhere
    make_writable(inside)
    assert (top / "out/here").is_symlink() and (tree / "far").is_symlink()
