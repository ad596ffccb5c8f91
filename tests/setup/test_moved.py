"""A main tree or a run tree that was moved is taken up with all it had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.lab import Lab
from wtwatch.doors import links
from wtwatch.doors.files import held, write_whole
from wtwatch.lanes import making, notes
from wtwatch.project import config, listing
from wtwatch.project.config import read_project
from wtwatch.project.tree import RunTree
from wtwatch.setup import moved
from wtwatch.setup.intent import Asked
from wtwatch.words.errors import UsageError

pytestmark = pytest.mark.slow

INSIDE = ("", "code", "inputs/L5b_2p")


def whole(main: Path, run: Path, lab: Lab) -> None:
    """Every worktree of the run tree belongs to the main tree at its place, and git finds nothing wrong."""
    for path in INSIDE:
        here = run / path
        common = lab.git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=here)
        assert Path(common).resolve() == (main / path / ".git").resolve()
        listed = lab.git("worktree", "list", "--porcelain", cwd=main / path).splitlines()
        assert f"worktree {here}" in listed
        assert not [line for line in listed if line.startswith("prunable")]
        assert lab.git("status", "--porcelain", cwd=here) == ""
    files = lab.git("annex", "find", "--in=here", cwd=run / "inputs/L5b_2p").splitlines()
    assert files and all((run / "inputs/L5b_2p" / file).resolve().is_file() for file in files)


def prepared(lab: Lab, say: Say) -> None:
    say(lab.main, "init")
    say(lab.main, "queue", "add", "--on-move", "--plain", "--", "echo kept")


def with_lane(lab: Lab, say: Say) -> None:
    """Make a lane of the project."""
    say(lab.main, "config", "lanes", "2")
    project = lab.project()
    lane = RunTree.of_lane(project, 1)
    notes.begin(lane)
    with held(lane.lock):
        making.make(lane, making.lacking(RunTree.of(project), lane, lab.commit("HEAD", lab.run)))


def follows(lab: Lab, say: Say, main: Path, run: Path) -> None:
    """The project has its queue, and goes on with the next move."""
    assert "echo kept" in say(main, "queue", "list").out
    lab.git("commit", "-q", "--allow-empty", "-m", "later", cwd=main / "code")
    later = lab.git("rev-parse", "HEAD", cwd=main / "code")
    lab.git("update-ref", "refs/heads/runs", later, cwd=main / "code")
    say(main, "sync")
    assert lab.git("rev-parse", "HEAD", cwd=run / "code") == later
    whole(main, run, lab)
    assert "set up already" in say(main, "init").out


def test_a_main_tree_that_was_moved_is_taken_up_whole(any_lab: Lab, say: Say) -> None:
    lab = any_lab
    prepared(lab, say)
    with_lane(lab, say)
    main = lab.root / "data" / "L5b moved"
    main.parent.mkdir()
    lab.main.rename(main)
    told = say(main / "code", "status", code=1)
    assert "Was it moved?" in told.out and "wtwatch init" in told.out
    assert "wtwatch init" in say(main, "sync", code=1).err
    assert "L5b was moved" in say(main, "init").out
    project = read_project(main / ".git" / "wtwatch" / "L5b" / "config.toml")
    assert (project.main_tree, project.run_tree) == (main, lab.run)
    assert listing.registered() == {"L5b": project.state}
    whole(main, lab.root / "L5b-runs.lane1", lab)
    follows(lab, say, main, lab.run)
    assert not lab.main.exists()


def test_a_main_tree_and_its_run_tree_that_were_moved_are_taken_up_whole(lab: Lab, say: Say) -> None:
    prepared(lab, say)
    with_lane(lab, say)
    shelf = lab.root / ".L5b-runs.wtwatch"
    shelf.mkdir(exist_ok=True)
    (shelf / "kept").touch()
    main, run = lab.root / "new" / "L5b", lab.root / "new" / "of runs"
    main.parent.mkdir()
    lab.main.rename(main)
    lab.run.rename(run)
    assert "was moved" in say(main, "init", "--run-tree", "../of runs").out
    assert (run.parent / ".of runs.wtwatch" / "kept").exists()
    whole(main, run.parent / "of runs.lane1", lab)
    follows(lab, say, main, run)


def test_a_run_tree_that_was_moved_alone_is_taken_up_whole(lab: Lab, say: Say) -> None:
    prepared(lab, say)
    with_lane(lab, say)
    run = lab.root / "elsewhere" / "runs"
    run.parent.mkdir()
    lab.run.rename(run)
    assert "was moved" in say(lab.main, "init", "--run-tree", str(run)).out
    whole(lab.main, run.parent / "runs.lane1", lab)
    follows(lab, say, lab.main, run)


def test_a_repair_that_was_cut_off_is_done_again(lab: Lab, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(lab, say)
    main, run = lab.root / "new", lab.root / "new runs"
    lab.main.rename(main)
    lab.run.rename(run)
    asked = Asked(run_tree=run)
    for number in range(1, 6):  # each time after one more file
        left = iter(range(number))

        def cut_off(file: Path, text: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            write_whole(file, text)

        with monkeypatch.context() as patch:
            for module in (links, listing, config):
                patch.setattr(module, "write_whole", cut_off)
            with pytest.raises(KeyboardInterrupt):
                moved.take_up(*moved.find(main, asked))
    say(main, "init", "--run-tree", str(run))
    follows(lab, say, main, run)


def test_a_copy_is_not_taken_for_what_was_moved(lab: Lab, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(lab, say)
    copy = lab.root / "copy"
    shutil.copytree(lab.main, copy, symlinks=True)
    assert moved.find(copy, Asked()) == []
    lab.main.rename(lab.root / "unmounted")
    monkeypatch.setattr(moved, "_device", hash)
    with pytest.raises(UsageError, match="on another disk") as refused:
        moved.find(copy, Asked())
    assert refused.value.hint and f"--run-tree {lab.run}" in refused.value.hint
    assert moved.find(copy, Asked(run_tree=lab.run))  # as the hint has it
    (lab.root / "unmounted").rename(lab.main)
    whole(lab.main, lab.run, lab)


def test_where_nothing_was_moved_nothing_is_found(lab: Lab, say: Say) -> None:
    assert moved.find(lab.main, Asked()) == []
    prepared(lab, say)
    assert moved.find(lab.code, Asked()) == []
    assert moved.find(lab.main, Asked(run_tree=lab.root / "nowhere")) == []
    lab.run.rename(lab.root / "aside")
    assert moved.find(lab.main, Asked()) == []
