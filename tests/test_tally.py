"""What tests killed is summed over all of them, wherever they ran; what was not survived is not called so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """\
import pytest

@pytest.mark.parametrize("part", range(2))
def test_many(kills, part):
    for victim in kills.each("a move at random", "abc"):
        pass
    for hit in (True, False):
        with kills.survived("a job", hit):
            pass

def test_one_is_lost(kills):
    for victim in kills.each("a move at random", "abc"):
        assert victim != "b"

def test_without():
    pass
"""


def run(folder: Path, tests: str, *words: str) -> list[str]:
    """Run these tests by themselves, with the fixture and the last word of ours; return what is said."""
    (folder / "conftest.py").write_text("from tests.conftest import kills, looks, pytest_terminal_summary\n")
    (folder / "test_some.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:datalad", "-p", "no:cacheprovider", *words, "."],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "passed" in done.stdout, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_kills_tried_and_survived_are_summed_over_all_tests(tmp_path: Path, workers: tuple[str, ...]) -> None:
    said = run(tmp_path, TESTS, *workers)
    assert "kill -9: 10 tried, 9 survived: a job 2 of 2, a move at random 7 of 8" in said


def test_where_nobody_was_killed_nothing_is_said_of_it(tmp_path: Path) -> None:
    said = run(tmp_path, "def test_without(kills):\n    pass\n")
    assert not any("kill" in line for line in said)


LOOKS = """\
import pytest
from wtwatch.stale.values import Standing

@pytest.mark.parametrize("part", range(2))
def test_some(looks, part):
    for standing in Standing:
        for differs in (True, False):
            looks.add(standing, differs)
"""


def test_looks_at_results_are_summed_over_all_tests(tmp_path: Path) -> None:
    said = run(tmp_path, LOOKS, "-n", "2")
    assert (
        "stale: 16 results asked: 8 differ, 4 fresh though they differ, 2 stale without need, 4 unknown"
        in said
    )
