"""A cast is what git would have made: it looks at no file of it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.world import Kind, World, git
from tests.house import House


def test_the_indexes_of_a_house_that_was_cast_know_its_files(tmp_path: Path) -> None:
    House.built(tmp_path / "first")
    project = House.built(tmp_path / "a sécond").project
    for tree in (project.main_tree, project.main_code, project.run_tree, project.run_code):
        assert git(tree, "diff-files", "--raw") == "" and git(tree, "ls-files") != ""
        git(tree, "fsck", "--strict")


def test_a_run_tree_beside_the_root_is_that_of_the_cast(tmp_path: Path) -> None:
    for number in range(2):
        place = tmp_path / f"{number}"
        (place / "disk").mkdir(parents=True)
        project = House.built(place / "p", run_tree=place / "disk/run").project
        listed = git(project.main_tree, "worktree", "list", "--porcelain")
        assert f"worktree {project.run_tree}\n" in listed and "prunable" not in listed
        git(project.run_tree, "fsck", "--strict")


@pytest.mark.parametrize("kind", ["paths", "subdataset"])
def test_the_indexes_of_a_world_that_was_cast_know_its_files(tmp_path: Path, kind: Kind) -> None:
    World.built(tmp_path / "first", kind)
    world = World.built(tmp_path / "second", kind)
    for tree in (world.main, world.run):
        assert git(tree, "diff-files", "--raw") == "" and git(tree, "ls-files") != ""
        git(tree, "fsck", "--strict")
