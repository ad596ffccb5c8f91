"""What is read of a merge, from values alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import assert_screen
from tests.views.test_as_json import A, B
from wtwatch.home.harvest import Brought, Harvest
from wtwatch.home.merge import Report
from wtwatch.home.plan import Step
from wtwatch.project.config import Project
from wtwatch.views import merging

PROJECT = Project("L5b", Path("/d/L5b/.git/wtwatch/L5b"), Path("/d/L5b"), Path("/d/L5b-runs"))
JOBS = tuple(
    Brought(f"Plot 240226{letter}, LSD", 20, 1_000_000 * at) for at, letter in enumerate("ABCDEFGHIJKL")
)
FOLDERS = (
    Brought("05_visualization/240226I/", 120, 5_000_000),
    Brought("05_visualization/240227J/" + "deep/" * 20, 120, 61_000_000),
)
HARVEST = Harvest(12, 240, 66_000_000, ("plot",) * 12, JOBS, FOLDERS)
STEPS = (Step("inputs/L5b_2p", "main", A, B, B), Step("", "main", A, B, B))


def screen(report: Report, done: bool = True, columns: int | None = 80) -> str:
    return "\n".join(merging.lines(PROJECT, report, done, columns)) + "\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_merge_says_what_came_what_is_left_and_how_to_undo_it(columns: int) -> None:
    report = Report(STEPS, HARVEST, pointer_differs=True, above=Path("/d"), lacking=("origin", 2))
    assert_screen(f"merge-done.{columns}", screen(report, columns=columns))


def test_a_dry_run_has_nothing_to_undo() -> None:
    report = Report((STEPS[1]._replace(target=A),), Harvest(1, 2, 300, ("plot",), JOBS[:1], FOLDERS[:1]))
    assert_screen("merge-dry-run.80", screen(report, done=False))


def test_where_nothing_comes_it_says_so() -> None:
    assert screen(Report()) == "Nothing to merge: the main tree has all that runs has.\n"
    only = screen(Report(only_pointer=True))
    assert only.startswith("Nothing to bring home: only the pointer of code differs.")
    assert "--pointer main" in only
    by_hand = screen(Report(STEPS[1:], Harvest(0, 1, 3, commits=("save plain.txt", "code: 1 → 2"))))
    assert by_hand.startswith("Brought home 2 commits: 1 file, 3 bytes (fast-forward).")
    moved = screen(Report(STEPS[1:], Harvest(commits=("code: 1 → 2",))))
    assert moved.startswith("Brought home 1 commit without a file (fast-forward).")
