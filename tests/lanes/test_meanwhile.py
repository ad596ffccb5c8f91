"""While `wtwatch exec` has the run tree jobs start in lanes, on the code of their batch; results wait."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import Gate, eventually
from tests.pathhouse import PathHouse
from wtwatch.doors.files import held
from wtwatch.doors.processes import Identity, identity
from wtwatch.job import starting
from wtwatch.lanes import meanwhile, notes
from wtwatch.lanes.starting import Begun
from wtwatch.lanes.turn import AtOnce, Ground, Turn
from wtwatch.project.config import Project, host, write_project
from wtwatch.project.listing import register
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import ExecNote
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.words.errors import Busy, Locked
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Sha, Trigger, now

EXEC = (sys.executable, "-P", "-m", "wtwatch", "exec", "--", "sh", "-c")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "house", lanes=2, settle=0.0, host=host())


def ticked(project: Project) -> Done:
    """Tick as the daemon does, who comes back when somebody has the run tree."""
    try:
        return tick(project, TickOptions(start_jobs=True))
    except Busy as busy:
        return Done(waits=busy.message, busy=busy.processes)


def words(project: Project) -> list[str]:
    """Tick; return how the jobs are."""
    ticked(project)
    return [job.word for job in Queue(project.state).jobs()]


def come_to(project: Project, *wanted: str) -> None:
    eventually(lambda: words(project) == [*wanted], within=60)


def gated(name: str, gate: Gate) -> JobSpec:
    """A job that waits at a gate, then makes a file of its name, and meets no other."""
    return JobSpec(f"until [ -e {gate.file} ]; do sleep 0.02; done; echo {name} > {name}", outputs=(name,))


@contextmanager
def exec_of(house: House, line: str = "true") -> Iterator[Gate]:
    """Have `wtwatch exec` do a line and wait then; the body runs while it does, and ends it by the gate."""
    write_project(house.project)
    register(house.project.name, house.project.state)
    here, gate = house.project.state / "here", Gate(house.project.state / "gate")
    waits = f"{line}; : > {here}; until [ -e {gate.file} ]; do sleep 0.02; done"
    with subprocess.Popen([*EXEC, waits], cwd=house.project.main_tree) as process:
        eventually(here.exists, within=60)
        try:
            yield gate
        finally:
            gate.open()
    assert process.returncode == 0


@contextmanager
def by_hand(project: Project) -> Iterator[None]:
    """Have the run tree as `wtwatch exec` has it, by this process."""
    tree, queue = RunTree.of(project), Queue(project.state)
    with held(tree.lock, wait=60.0):
        queue.note_exec(ExecNote(myself(), "make", now(), *(starting.footing(tree) or ())))
        yield
        queue.note_exec(None)


def myself() -> Identity:
    found = identity(os.getpid())
    assert found is not None
    return found


@pytest.mark.slow
def test_jobs_start_under_exec_on_the_code_of_their_batch_and_their_results_wait(
    house: House, tmp_path: Path
) -> None:
    project, queue, run = house.project, Queue(house.project.state), house.project.run_tree
    gates = [Gate(tmp_path / f"gate{number}") for number in range(4)]
    jobs = queue.add([gated(name, gate) for name, gate in zip("abcd", gates, strict=True)],
                     Trigger.NOW, house.head())  # fmt: skip
    come_to(project, "running", "running", "waiting", "waiting")
    old, base = house.head(), house.head(run)
    by_hand = (
        "echo b > by-hand && git add by-hand && git commit -q -m by-hand && git -C code checkout -q HEAD~0"
    )
    with exec_of(house, by_hand):
        new = house.commit({"a.py": "a = 2\n"})
        assert house.head(run) != base
        top = house.head(run)
        gates[0].open()
        come_to(project, "running", "running", "running", "waiting")
        for gate in gates[1:]:
            gate.open()
        come_to(project, *["running"] * 4)
        eventually(lambda: ticked(project) and all(notes.lease(one) is None for one in notes.known(project)))
        assert house.head(run) == top and house.head() == old, "nothing moves, no result is laid"
        assert queue.waits() is None, "that exec has the tree is said of exec itself"
        assert [job.base for job in (one.state for one in queue.living()) if isinstance(job, Running)] == [
            base
        ] * 4
    come_to(project, *["succeeded"] * 4)
    states = [queue.job(job.id).state for job in jobs]
    assert all(isinstance(state, Ended) and state.code_sha == old for state in states)
    assert {path.name for path in run.iterdir()} >= {"a", "b", "c", "d", "by-hand"}
    assert house.git("status", "--porcelain", cwd=run) == ""
    eventually(lambda: ticked(project) and house.head() == new)


@pytest.mark.slow
def test_the_lane_of_a_job_that_failed_under_exec_is_used_again(house: House, tmp_path: Path) -> None:
    project, queue, gate = house.project, Queue(house.project.state), Gate(tmp_path / "gate")
    ends = Gate(tmp_path / "ends")
    fails = JobSpec(
        f"until [ -e {gate.file} ]; do sleep 0.02; done; echo left > left; exit 3", outputs=("a",)
    )
    queue.add([fails, gated("b", ends), gated("c", gate)], Trigger.NOW, house.head())
    come_to(project, "running", "running", "waiting")
    with exec_of(house):
        gate.open()
        come_to(project, "failed", "running", "running")
        assert (house.tree.shelf / "jobs/1.1/left").exists()
    ends.open()
    come_to(project, "failed", "succeeded", "succeeded")


@pytest.fixture
def turn(house: House) -> Turn:
    """A batch of two is under way in a house, of which one job runs in a lane, while this is an `exec`."""
    queue, footing = Queue(house.project.state), starting.footing(house.tree)
    first, _ = queue.add([JobSpec("true", outputs=(name,)) for name in "ab"], Trigger.NOW, house.head())
    assert footing == (house.head(house.project.run_tree), house.head())
    base, code = footing
    queue.begin(first.id, Running(now(), code, base, "u1", lane=1))
    queue.note_exec(ExecNote(myself(), "make", now(), base, code))
    return Turn(house.tree, queue, TickOptions(start_jobs=True), AtOnce())


def test_more_of_a_batch_starts_under_exec_from_where_that_began(turn: Turn, house: House) -> None:
    base, code = house.head(house.project.run_tree), house.head()
    assert meanwhile.ground(turn) == Ground(base, code, 1)
    house.git("commit", "-q", "--allow-empty", "-m", "by hand", cwd=house.project.run_tree)
    house.here("checkout", "-q", "--detach", house.commit({"a.py": "a = 2\n"}))
    assert meanwhile.ground(turn) == Ground(base, code, 1)


def test_nothing_starts_under_exec_that_has_to_wait_for_the_run_tree(turn: Turn, house: House) -> None:
    queue, note = turn.queue, turn.queue.executes()
    assert note is not None
    for wrong in (
        None,
        ExecNote(note.process, "make", now()),  # as it began astray, or in other code than was released
        note._replace(code=house.head(house.project.run_tree)),
        note._replace(process=note.process._replace(ticks=0)),  # it was killed
    ):
        queue.note_exec(wrong)
        assert meanwhile.ground(turn) is None, wrong
    queue.note_exec(note)
    queue.pause()
    assert meanwhile.ground(turn) is None
    queue.resume()
    for job in (1, 2):
        queue.begin(job, Running(now(), house.head(), note.base or Sha(""), f"u{job}", lane=job))
        queue.end(job, Ended(now(), now(), house.head(), Outcome.FAILED, 1, lane=job))
    queue.add([JobSpec("true")], Trigger.NOW, house.head())
    assert queue.next_batch() and meanwhile.ground(turn) is None, "a batch begins once code has followed"


def test_a_batch_that_gives_way_to_a_move_starts_no_more_under_exec(turn: Turn, house: House) -> None:
    gives_way = turn._replace(tree=RunTree.of(house.project._replace(on_move="after-job")))
    assert meanwhile.ground(gives_way) is not None
    new = house.commit({"a.py": "a = 2\n"})
    assert meanwhile.ground(gives_way) is None and meanwhile.ground(turn) is not None
    turn.queue.await_end(new)
    assert meanwhile.ground(gives_way) is not None


def test_a_tick_waits_for_who_starts_jobs_without_the_run_tree(
    house: House, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meanwhile, "PATIENCE", 0.0)
    lock = house.project.state / "lanes.lock"
    tick(house.project._replace(lanes=1), TickOptions())
    assert not lock.exists(), "where there are no lanes nothing is written"
    with held(lock):
        assert meanwhile.start(turn) == Begun()
        for lanes in (1, 2):
            with pytest.raises(Locked, match="the lanes"):
                tick(house.project._replace(lanes=lanes), TickOptions(start_jobs=True))


def test_jobs_start_from_a_run_tree_on_its_branch_whose_code_is_a_release(tmp_path: Path) -> None:
    folder = PathHouse(tmp_path / "folder")
    head, release = (Sha(folder.git("rev-parse", name, cwd=folder.run)) for name in ("HEAD", "runs-code"))
    assert starting.footing(folder.tree) == (head, release)
    folder.git("checkout", "-q", "--detach", cwd=folder.run)
    assert starting.footing(folder.tree) is None
    folder.git("checkout", "-q", "runs", cwd=folder.run)
    folder.save(where=folder.run, code__a="by hand\n")
    assert starting.footing(folder.tree) is None
