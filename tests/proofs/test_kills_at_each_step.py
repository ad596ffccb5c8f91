"""`kill -9` at each step of a move, a bring, a merge and of clearing up behind a job, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from tests.lab import Lab, eventually
from tests.proofs.killing import ticked
from tests.proofs.steps import struck_at_each
from tests.proofs.test_kills_of_brings import assert_brought_by_the_next, with_much_in_main
from tests.proofs.test_kills_of_jobs import (
    FAILS,
    INSIDE,
    assert_clean,
    edit_is_kept,
    ended,
    left_by,
    queued,
    started,
)
from tests.proofs.test_kills_of_jobs import project as project  # noqa: PLC0414 - the fixture
from tests.proofs.test_kills_of_merges import assert_merged_by_the_next, with_results
from tests.proofs.test_kills_of_moves import assert_nothing_is_lost, ready_to_move
from tests.tally import Kills
from wtwatch.project.config import Project
from wtwatch.reconcile import TickOptions
from wtwatch.tree import save
from wtwatch.words.model import Outcome

STRIKE = """
watch(sys.argv[2], Path(sys.argv[3]), kill)
tick(project, options)
"""

MOVE = (
    """\
import sys
from pathlib import Path
from tests.house import House
from tests.proofs.steps import kill, watch
from wtwatch.reconcile import TickOptions, tick
project, options = House.at(Path(sys.argv[1])).project, TickOptions(force=True, hurry=True)
"""
    + STRIKE
)

BRING = MOVE.replace("force=True, hurry=True", "from_main=True")

MERGE = """\
import sys
from pathlib import Path
from tests.house import House
from tests.proofs.steps import kill, watch
from wtwatch.home import merge
project = House.at(Path(sys.argv[1])).project
watch(sys.argv[2], Path(sys.argv[3]), kill)
merge.act(project, merge.prepare(project))
"""

CLEAR = (
    """\
import sys
from pathlib import Path
from tests.proofs.steps import kill, watch
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
project, options = read_project(Path(sys.argv[1])), TickOptions(patience=20.0)
"""
    + STRIKE
)

AGAIN = TickOptions(force=True, hurry=True, patience=60)


def assert_saved(house: House) -> None:
    """Code, applied, keep ref, branch and index of the superdataset are at the tip; nothing is under way."""
    tip, above = house.head(house.project.main_code), house.project.run_tree
    house.assert_exactly_at(tip)
    assert house.git("rev-parse", "runs:code", cwd=above) == tip
    assert house.git("symbolic-ref", "HEAD", cwd=above) == "refs/heads/runs"
    assert house.git("status", "--porcelain", "--ignore-submodules=untracked", cwd=above) == ""
    assert house.git("rev-parse", save.keep_ref(tip)) == tip
    assert save.journal(house.tree).read() is None


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_move_killed_at_each_step_is_ended_by_the_next_tick(
    tmp_path: Path, kills: Kills, part: int
) -> None:
    house = ready_to_move(tmp_path / "house")
    root = house.project.main_tree.parent
    seen = set()
    struck = struck_at_each(root, tmp_path, MOVE, str(root), part=part, parts=2)
    for step in kills.each("a move at each step", struck):
        ticked(house.project, AGAIN)
        assert_saved(house)
        assert_nothing_is_lost(house)
        seen.add(step.split()[0])
    assert {"start", "write", "rename"} <= seen


@pytest.mark.slow
def test_a_pointer_that_replaces_another_killed_at_each_step_is_saved_by_the_next_tick(
    tmp_path: Path, kills: Kills
) -> None:
    house = House.built(tmp_path / "house")
    root, above = house.project.main_tree.parent, house.project.run_tree
    first = house.commit({"a.py": "a = 2\n"})
    ticked(house.project, AGAIN)
    assert house.git("rev-parse", "HEAD:code", cwd=above) == first
    base = house.head(above)
    house.commit({"a.py": "a = 3\n"})
    steps = []
    struck = struck_at_each(root, tmp_path, MOVE, str(root))
    for step in kills.each("a move that replaces a pointer at each step", struck):
        ticked(house.project, AGAIN)
        assert_saved(house)
        assert house.git("rev-list", "--count", f"{base}^..HEAD", cwd=above) in ("1", "2")
        steps.append(step)
    for name in ("commit-tree", "update-ref", "update-index", "journal.pointer", "replaced-pointers"):
        assert any(name in step for step in steps), (name, steps)


@pytest.mark.slow
def test_a_merge_killed_at_each_step_is_ended_by_the_next(tmp_path: Path, kills: Kills) -> None:
    house = with_results(tmp_path / "house")
    root = house.project.main_tree.parent
    for _ in kills.each("a merge at each step", struck_at_each(root, tmp_path, MERGE, str(root))):
        assert_merged_by_the_next(house)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_what_comes_from_main_killed_at_each_step_comes_with_the_next_tick(
    tmp_path: Path, kills: Kills, part: int
) -> None:
    house = with_much_in_main(tmp_path / "house")
    root = house.project.main_tree.parent
    struck = struck_at_each(root, tmp_path, BRING, str(root), part=part, parts=3)
    for _ in kills.each("a bring at each step", struck):
        assert_brought_by_the_next(house)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_clearing_up_killed_at_each_step_is_ended_by_the_next_tick(
    lab: Lab, project: Project, tmp_path: Path, kills: Kills, part: int
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    job = queued(project, FAILS, ("declared",))
    folder = started(project, job)
    eventually(folder.result, within=60)
    seen = set()
    words = (CLEAR, str(project.state / "config.toml"))
    struck = struck_at_each(lab.root, tmp_path, *words, part=part, parts=3)
    for step in kills.each("clearing up behind a job at each step", struck):
        state = ended(project, job)
        assert (state.outcome, state.exit) == (Outcome.FAILED, 3)
        assert_clean(lab, code)
        left = left_by(project, job)
        stray = {f"{place}stray": "mine\n" for place in ("", "code/", f"{INSIDE}/")}
        assert left.items() >= (stray | {"declared": "half\n"}).items()
        assert edit_is_kept(lab, project), "the edit in code"
        seen.add(step.split()[0])
    assert "start" in seen and seen & {"mkdir", "rename", "write"}, "programs and files both"
