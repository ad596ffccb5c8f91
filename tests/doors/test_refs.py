"""What is read off git's files is what git itself says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.moves import GIT_MOVES, MovingCode
from wtwatch.doors import refs
from wtwatch.doors.repo import Repo


@pytest.fixture
def house(tmp_path: Path) -> MovingCode:
    return MovingCode.built(tmp_path / "house", "team/runs")


def as_git_says(house: MovingCode) -> str | None:
    return house.tip() or None


@pytest.mark.parametrize("move", GIT_MOVES, ids=lambda move: move.__name__)
def test_the_tip_after_each_move_is_read_without_git(
    house: MovingCode, move: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(move)
    move(house)
    said = as_git_says(house)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert refs.tip_of(Repo(house.code), house.ref) == said


def test_a_symbolic_ref_is_followed_to_its_end(house: MovingCode) -> None:
    house.git("branch", "trunk", "b")
    house.git("symbolic-ref", "refs/heads/middle", "refs/heads/trunk")
    house.git("symbolic-ref", house.ref, "refs/heads/middle")
    assert refs.chain(house.common, house.ref) == (house.ref, "refs/heads/middle", "refs/heads/trunk")
    for _ in range(2):
        assert refs.tip_of(Repo(house.code), house.ref) == as_git_says(house) == house.git("rev-parse", "b")
        house.git("pack-refs", "--all")
    house.git("update-ref", "-d", "refs/heads/trunk")
    assert refs.tip_of(Repo(house.code), house.ref) is None


def test_a_bookmark_that_follows_the_main_trees_head_is_read(house: MovingCode) -> None:
    (house.common / house.ref).write_text("ref: HEAD\n")
    assert refs.tip_of(Repo(house.code), house.ref) == house.git("rev-parse", "HEAD")


def test_a_ref_that_is_a_symbolic_link_names_the_next(house: MovingCode) -> None:
    loose = house.common / house.ref
    loose.unlink()
    loose.symlink_to("refs/heads/trunk")
    house.git("branch", "trunk", "c")
    assert refs.chain(house.common, house.ref) == (house.ref, "refs/heads/trunk")


def test_refs_in_a_circle_or_out_of_the_repository_lead_nowhere(house: MovingCode) -> None:
    house.git("symbolic-ref", "refs/heads/other", house.ref)
    (house.common / house.ref).write_text("ref: refs/heads/other\n")
    assert refs.chain(house.common, house.ref) == (house.ref, "refs/heads/other")
    assert refs.tip_of(Repo(house.code), house.ref) is None
    (house.common / house.ref).write_text("ref: ../../secret\n")
    assert refs.chain(house.common, house.ref) == (house.ref,)


def test_where_files_cannot_tell_git_is_asked(house: MovingCode) -> None:
    (house.common / "reftable").mkdir()
    assert refs.tip_of(Repo(house.code), house.ref) == as_git_says(house)
    (house.common / house.ref).write_text("")  # as after a power cut
    assert refs.tip_of(Repo(house.code), house.ref) is None


def test_where_a_work_tree_is_at_is_what_git_says(house: MovingCode, tmp_path: Path) -> None:
    def agrees(folder: Path) -> bool:
        done = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", "HEAD"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return refs.head_of(Repo(folder)) == (done.stdout.strip() or None)

    linked = tmp_path / "linked"
    assert agrees(house.code) and agrees(house.project.run_code)
    house.git("worktree", "add", "-q", "-b", "other/branch", str(linked), "b")
    assert agrees(linked)
    house.git("pack-refs", "--all")
    assert agrees(linked) and agrees(house.code)
    house.git("symbolic-ref", "refs/heads/other/branch", "refs/heads/a-branch-to-come")
    assert agrees(linked)
    house.git("init", "-q", str(tmp_path / "unborn"))
    assert agrees(tmp_path / "unborn")


def test_the_refs_below_a_folder_are_those_that_git_lists(house: MovingCode) -> None:
    repo, prefix = Repo(house.project.main_code), "refs/wtwatch/p/backup/"
    assert refs.below(repo, prefix) == set()
    for name in ("a", "b", "c", "deep/d"):
        house.git("update-ref", f"{prefix}{name}", "HEAD")
    house.git("update-ref", "refs/wtwatch/p/backups", "HEAD")
    assert (
        refs.below(repo, prefix)
        == set(repo.refs(prefix))
        == {f"{prefix}{one}" for one in ("a", "b", "c", "deep/d")}
    )
    house.git("pack-refs", "--all")
    house.git("update-ref", "-d", f"{prefix}b")
    house.git("update-ref", f"{prefix}e", "HEAD")
    house.git("update-ref", f"{prefix}a", "HEAD~0")
    (repo.common_dir() / prefix / "f.lock").parent.mkdir(parents=True, exist_ok=True)
    (repo.common_dir() / prefix / "f.lock").touch()
    assert refs.below(repo, prefix) == set(repo.refs(prefix))
