"""A disk that is full while lanes are made, jobs run there, or results come home: it heals with room."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.full_disk import fill, mounted
from tests.house import House
from tests.lab import eventually
from tests.proofs.test_kills_of_lanes import assert_one_truthful_end_each, made
from wtwatch.lanes import notes
from wtwatch.project.jobenv import for_jobs
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Trigger

WORK = TickOptions(start_jobs=True, patience=20.0)
BIG = "0123456789abcdef" * 4096


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house on a small disk, with two lanes and two jobs that wait; main's files take some room."""
    with mounted(tmp_path / "disk", 100) as disk:
        house = House.built(disk / "house", lanes=2)
        run = house.project.run_tree
        for number in range(20):
            (run / f"data-{number}").write_text(f"{number}{BIG}")
        house.git("add", "-A", ":!code", cwd=run)
        house.git("commit", "-q", "-m", "data", cwd=run)
        house.git("branch", "-q", "-f", "start", "HEAD", cwd=run)
        for_jobs(house.tree)
        Queue(house.project.state).add([made("a"), made("b")], Trigger.NOW, house.head())
        yield house


def tried(house: House) -> str | None:
    """Tick; return why that could not do all."""
    try:
        return tick(house.project, WORK).waits
    except (WtwatchError, OSError) as error:
        return str(error)


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 100, 500, 1000, 1500, 2500])
def test_lanes_on_a_disk_that_is_full_are_made_once_there_is_room(house: House, room: int) -> None:
    disk = house.project.main_tree.parents[1]
    ballast = fill(disk, room)
    said = [tried(house) for _ in range(4)]
    print(said)
    assert not any("Errno" in (one or "") for one in said), "the words are for people"
    ballast.unlink()
    assert house.git("status", "--porcelain", cwd=house.project.run_tree) == ""
    assert_one_truthful_end_each(house, "data")
    assert eventually(partial(notes.known, house.project))
