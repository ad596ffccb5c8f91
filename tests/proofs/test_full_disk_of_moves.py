"""A disk that fills up at each step of a move, of what comes from main, of a release, and of a merge.

Nothing is lost, what is said names the disk, `status` does meanwhile, and with room the next one ends it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.full_disk import mounted
from tests.lab import eventually
from tests.proofs.killing import python, ticked, until
from tests.proofs.steps import at_each
from tests.proofs.test_full_disk import names_the_disk, status_says
from tests.proofs.test_kills_at_each_step import AGAIN, assert_saved
from tests.proofs.test_kills_of_brings import assert_brought_by_the_next, with_much_in_main
from tests.proofs.test_kills_of_merges import assert_merged_by_the_next, with_results
from tests.proofs.test_kills_of_moves import assert_nothing_is_lost, ready_to_move
from tests.proofs.test_kills_of_releases import assert_released_by_the_next, with_much_to_release
from wtwatch.doors.traces import is_full
from wtwatch.project.config import Project, write_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_root("mount a disk"),
]

STRIKE = """\
import sys
from pathlib import Path
from tests.full_disk import fill
from tests.proofs.steps import watch
from wtwatch.home import merge
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.errors import WtwatchError

disk, project = Path(sys.argv[1]), read_project(Path(sys.argv[2]))
watch(sys.argv[3], Path(sys.argv[4]), lambda: fill(disk, 0))
try:
    said = DO
except (WtwatchError, OSError) as error:
    said = f"{error} {getattr(error, 'hint', '')}"
Path(sys.argv[5]).write_text(said or "all")
"""

MOVE = STRIKE.replace("DO", "tick(project, TickOptions(force=True, hurry=True)).waits")
BRING = STRIKE.replace("DO", "tick(project, TickOptions(from_main=True)).waits")
RELEASE = STRIKE.replace("DO", "tick(project, TickOptions()).waits")
MERGE = STRIKE.replace("DO", "merge.bring(project) and None")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk, which is that of scratch files too."""
    with mounted(tmp_path / "disk", 200) as small:
        (small / "tmp").mkdir()
        monkeypatch.setenv("TMPDIR", str(small / "tmp"))
        yield small


def filled_at_each(disk: Path, beside: Path, project: Project, code: str, parts: int = 3) -> Iterator[str]:
    """Yield the names of steps, after the disk was full from each on, and has room again.

    Of ``parts`` steps one is tried, another in each run.
    """
    write_project(project)
    root, said, ballast = project.main_tree.parent, beside / "said", disk / "ballast"
    config = str(project.state / "config.toml")

    def run(step: str, names: Path) -> None:
        with python(code, str(disk), config, step, str(names), str(said)) as process:
            if step:  # to come so far may take a while, as may filling it
                eventually(lambda: is_full(disk) or process.poll() is not None)
            until(lambda: process.poll() is not None, within=3 if step else 60)
            waited = process.poll() is None  # git-annex waits for room, without a word
            if waited:  # or it is only slow, and has made some by now
                eventually(lambda: not is_full(disk) or "is full" in status_says(project))
                ballast.unlink()
            _, trouble = process.communicate(timeout=60)
        assert process.returncode == 0, trouble.decode()
        told = said.read_text()
        assert waited or told == "all" or (step and names_the_disk(told)), (step, told)
        if step and not waited:
            assert not is_full(disk) or "is full" in status_says(project)
            ballast.unlink(missing_ok=True)  # it may have come to its end without that step

    return at_each(root, beside, run, int.from_bytes(os.urandom(4)) % parts, parts)


def test_a_disk_that_fills_up_at_any_step_of_a_move_loses_nothing(disk: Path, tmp_path: Path) -> None:
    house = ready_to_move(disk / "house")
    for _ in filled_at_each(disk, tmp_path, house.project, MOVE):
        ticked(house.project, AGAIN)
        assert_saved(house)
        assert_nothing_is_lost(house)


def test_a_disk_that_fills_up_at_any_step_of_what_comes_from_main_loses_nothing(
    disk: Path, tmp_path: Path
) -> None:
    house = with_much_in_main(disk / "house")
    for _ in filled_at_each(disk, tmp_path, house.project, BRING):
        assert_brought_by_the_next(house)


def test_a_disk_that_fills_up_at_any_step_of_a_release_of_paths_loses_nothing(
    disk: Path, tmp_path: Path
) -> None:
    house = with_much_to_release(disk / "house")
    for _ in filled_at_each(disk, tmp_path, house.project, RELEASE, parts=12):
        assert_released_by_the_next(house)


def test_a_disk_that_fills_up_at_any_step_of_a_merge_loses_nothing(disk: Path, tmp_path: Path) -> None:
    house = with_results(disk / "house")
    for _ in filled_at_each(disk, tmp_path, house.project, MERGE):
        assert_merged_by_the_next(house)
