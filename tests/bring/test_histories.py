"""Whatever order people, jobs and wtwatch do things in: nothing is lost or undone, little is blocked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.bring.histories import History, Step, Wrong
from tests.bring.shortest import shortest

STEPS = 30
MANY = 300

_SEED = os.environ.get("WTWATCH_SEED")  # read here, since the room of a test is sealed


def faults(folder: Path, seeds: Iterable[int]) -> tuple[list[str], list[str]]:
    """Play a history for each seed, as many at a time as there are cores.

    Returns what was wrong, with the seed and the shortest history that is, and what was blocked though
    somebody who knows all could have said what to do.
    """

    def played(seed: int) -> tuple[str | None, list[str]]:
        history = History(folder / str(seed), seed)
        fault = None
        try:
            history.play(STEPS)
        except Exception as error:  # what breaks is told as what is wrong is
            fault = f"WTWATCH_SEED={seed}: {error!r}\n{shortest(folder / 'less', seed, history.done)}"
        return fault, [f"WTWATCH_SEED={seed}: {needless}" for needless in history.needless]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as several:
        found = list(several.map(played, seeds))
    return [fault for fault, _ in found if fault], [one for _, needless in found for one in needless]


@pytest.mark.parametrize("first", [0, 8, 16])
def test_histories_come_out_as_who_went_on_from_what_says(tmp_path: Path, first: int) -> None:
    wrong, needless = faults(tmp_path, range(first, first + 8))
    assert not wrong + needless, "\n".join(wrong + needless)


def test_what_main_took_by_hand_and_then_dropped_or_changed_is_as_main_has_it_or_asked_for(
    tmp_path: Path,
) -> None:
    wrong, needless = faults(tmp_path, [350443513, 350443611, 350443725])
    assert not wrong + needless, "\n".join(wrong + needless)


def test_what_was_taken_from_main_by_hand_and_deleted_by_a_job_does_not_come_back_unasked(
    tmp_path: Path,
) -> None:
    """Not even with a main that was reset to before it, and made the file anew."""
    wrong, needless = faults(tmp_path, [3904119146])
    assert not wrong + needless, "\n".join(wrong + needless)


@pytest.mark.slow
def test_three_hundred_fresh_histories_lose_and_undo_nothing_and_block_hardly_without_need(
    tmp_path: Path,
) -> None:
    start = int.from_bytes(os.urandom(4))
    seeds = [int(_SEED)] if _SEED else range(start, start + MANY)
    print(f"WTWATCH_SEED={seeds[0]}, and {len(seeds) - 1} after it")
    wrong, needless = faults(tmp_path, seeds)
    assert not wrong, "\n".join(wrong)
    assert len(needless) <= MANY / 10, "\n".join(needless)


class _Faulty(History):
    """A history in which it counts for wrong that a job's result goes home after a release."""

    def home(self) -> None:
        ways = [step.way for step in self.done]
        if "release" in ways and "job" in ways[ways.index("release") :]:
            raise Wrong("out/x", "is home")


def test_what_is_wrong_is_told_by_the_shortest_history_that_is(tmp_path: Path) -> None:
    history = _Faulty(tmp_path / "whole", 1)
    for way in ("edit_code", "release", "from_main", "job"):
        history.do(Step(way, history.dice.getstate()))
    steps = [*history.done, Step("home", history.dice.getstate())]
    told = shortest(tmp_path / "less", 1, steps, _Faulty).splitlines()
    assert [line.split()[0] for line in told[1:]] == ["release", "job", "home"]
    assert "out/x is home" in told[0] and " run " in told[1]
