"""The links between a worktree and its repository, written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors import links
from wtwatch.doors.repo import Repo


@pytest.mark.parametrize("symlink", [False, True], ids=["git's file", "git-annex's symlink"])
def test_a_worktree_that_was_moved_is_one_again_without_what_a_kill_left(
    tmp_path: Path, symlink: bool
) -> None:
    house = House.built(tmp_path)
    admin, moved = Repo(house.code).git_dir(), tmp_path / "moved"
    house.code.rename(moved)
    link = moved / ".git"
    if symlink:
        link.unlink()
        link.symlink_to(admin)
    (moved / "..git.abc12345").write_text("a draft")
    (moved / ".git.77.wtwatch").symlink_to("nowhere")
    (moved / "mine").write_text("mine\n")
    links.tie(link, admin)
    assert link.is_symlink() is symlink and (admin / "gitdir").read_text() == f"{link}\n"
    assert house.git("status", "--porcelain", cwd=moved) == "?? mine"
