"""Lanes are made beside the ticks: the run tree is free meanwhile, and whatever comes meanwhile is served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.house import House, write
from tests.lab import eventually
from wtwatch.daemon import background
from wtwatch.daemon.background import Background
from wtwatch.doors.files import held
from wtwatch.lanes import looking, notes, readying
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.words.errors import Busy
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Trigger
from wtwatch.words.tick import Work


class Later:
    """Takes one thing, which is done when the test says so."""

    again_in = None

    def __init__(self) -> None:
        self.taken: list[tuple[str, Work]] = []

    def takes(self, what: str) -> bool:
        return not self.taken

    def take(self, what: str, work: Work) -> None:
        self.taken.append((what, work))

    def do(self, stop: Callable[[], bool] = lambda: False) -> bool:
        _, work = self.taken.pop()
        return work(stop)


def ticked(house: House, beside: Later | Background | None, **settings: int) -> Done:
    project = house.project._replace(**settings)  # type: ignore[arg-type]
    return tick(project, TickOptions(start_jobs=True, patience=5.0, beside=beside))


def queued(house: House, *names: str) -> list[Job]:
    """Queue jobs that make a file each, and meet no other."""
    specs = [JobSpec(f"echo {name} > {name} && git add {name} && git commit -q -m {name}", plain=True)
             for name in names]  # fmt: skip
    return Queue(house.project.state).add(specs, Trigger.NOW, house.head())


def over(house: House, job: Job) -> Ended:
    """Tick until a job has ended, with lanes made at once; return how."""
    queue = Queue(house.project.state)

    def ended() -> bool:
        ticked(house, None)
        return isinstance(queue.job(job.id).state, Ended)

    eventually(ended, within=60)
    state = queue.job(job.id).state
    assert isinstance(state, Ended)
    return state


def lane_of(house: House, number: int = 1) -> RunTree:
    return RunTree.of_lane(house.project, number)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that failed is tried again before a test is over, however slow the machine is."""
    monkeypatch.setattr(background, "FIRST_WAIT", 3600.0)
    monkeypatch.setattr(background, "LONGEST_WAIT", 3600.0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "house", lanes=2, settle=0.0)


def test_the_run_tree_is_free_and_code_moves_while_a_lane_is_made(house: House) -> None:
    (job,) = queued(house, "a")
    later = Later()
    done = ticked(house, later)
    assert [what for what, _ in later.taken] == ["lane 1"] and done == Done()
    assert notes.maker(lane_of(house)) and not lane_of(house).path.exists()
    assert [one for one in looking.findings(house.project) if "is being made" in one.message]
    with held(house.tree.lock):
        pass
    new = house.commit({"a.py": "a = 2\n"})
    assert ticked(house, later).moved and house.head(house.code) == new
    assert later.do() and notes.maker(lane_of(house)) is None
    state = over(house, job)
    assert (state.outcome, state.lane, state.code_sha) == (Outcome.SUCCEEDED, 1, new)
    assert (lane_of(house).code_path / "a.py").read_text() == "a = 2\n"


def test_jobs_run_and_end_in_other_lanes_while_one_is_made(house: House) -> None:
    (first,) = queued(house, "a")
    later = Later()
    ticked(house, later)
    later.do()
    over(house, first)
    with held(lane_of(house).lock, wait=60):  # as somebody has it for a moment
        queued(house, "b")
        assert ticked(house, later).waits is None
    assert [what for what, _ in later.taken] == ["lane 2"]
    second = Queue(house.project.state).jobs()[-1]
    assert over(house, second).lane == 1
    assert later.do() and lane_of(house, 2).path.exists()


def test_who_else_ticks_makes_no_lane_that_is_being_made(house: House) -> None:
    queued(house, "a")
    one, other = Later(), Later()
    ticked(house, one)
    done = ticked(house, other)
    assert [what for what, _ in other.taken] == ["lane 2"] and done.again_in and done.waits is None
    assert notes.held(lane_of(house)) is None
    assert one.do() and other.do()
    assert house.git("worktree", "list", cwd=house.project.run_tree).count(".lane") == 2


def test_lanes_that_are_given_up_are_not_made_any_more(house: House) -> None:
    (job,) = queued(house, "a")
    later = Later()
    ticked(house, later)
    ticked(house, Later(), lanes=1)
    assert notes.held(lane_of(house)) is None, "it goes by itself"
    assert not later.do() and not lane_of(house).path.exists()

    def ended() -> bool:
        ticked(house, Later(), lanes=1)
        return isinstance(Queue(house.project.state).job(job.id).state, Ended)

    eventually(lambda: ended() and notes.known(house.project) == [])
    assert house.git("worktree", "list", cwd=house.project.run_tree).count(".lane") == 0


@pytest.mark.usefixtures("patient")
def test_a_lane_that_cannot_be_made_is_said_and_tried_again_later(house: House) -> None:
    (job,) = queued(house, "a")
    for number in (1, 2):
        write(lane_of(house, number).path, "mine.txt", "in the way\n")
    asked = threading.Event()
    beside = Background(asked.set)

    def tried() -> Done:
        asked.clear()
        done = ticked(house, beside)
        assert asked.wait(60)
        return done

    def is_given_up() -> bool:
        """One lane after the other is tried, and none of them over and over."""
        waits = ticked(house, beside).waits or ""
        beside.wait(60)
        said = "holds files" in waits and "lane 1" in waits.lower()
        return said and not (beside.takes("lane 1") or beside.takes("lane 2"))

    eventually(is_given_up, within=60)
    (lane_of(house, 2).path / "mine.txt").unlink()
    beside.stop()  # as other settings would have it try again at once
    assert tried().waits, "as long as it is not made"
    eventually(partial(beside.takes, "lane 2"), within=60)
    assert over(house, job).lane == 2


def test_what_is_at_work_beside_ticks_ends_when_it_is_told_to(house: House) -> None:
    asked = threading.Event()
    beside = Background(asked.set)
    begun = threading.Event()

    def work(stop: Callable[[], bool]) -> bool:
        begun.set()
        eventually(stop, within=60)
        return False

    beside.take("it", work)
    assert begun.wait(60) and not beside.takes("it") and not beside.takes("other")
    beside.stop()
    beside.wait(60)
    assert asked.is_set() and beside.takes("it")


@pytest.mark.usefixtures("patient")
def test_work_beside_ticks_that_fails_by_a_fault_is_no_end_of_all(house: House) -> None:
    beside = Background(lambda: None)

    def work(stop: Callable[[], bool]) -> bool:
        raise ZeroDivisionError

    beside.take("it", work)
    beside.wait(60)
    eventually(partial(beside.takes, "other"), within=60)
    assert not beside.takes("it")


def test_nobody_else_gets_the_run_tree_while_unlocked_files_of_a_lane_are_written(house: House) -> None:
    with held(house.tree.lock), pytest.raises(Busy), readying.alone(house.tree, lambda: True):
        pytest.fail("somebody has it")
    with readying.alone(house.tree, lambda: False), pytest.raises(Busy), held(house.tree.lock):
        pytest.fail("it is taken")
