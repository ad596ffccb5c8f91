"""`kill -9` at each step of a tick that makes a lane, starts a job there, and brings its result home."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.house import House, write
from tests.lab import eventually
from tests.lanes.test_meanwhile import by_hand
from tests.lanes.test_meanwhile import ticked as ticked_under_exec
from tests.proofs.killing import ticked
from tests.proofs.steps import struck_at_each
from tests.tally import Kills
from wtwatch.doors.files import held
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Trigger

TICK = """\
import sys
from pathlib import Path
from tests.house import House
from tests.proofs.steps import kill, watch
from wtwatch.reconcile import TickOptions, tick
project, options = House.at(Path(sys.argv[1]), lanes=2).project, TickOptions(start_jobs=True)
watch(sys.argv[2], Path(sys.argv[3]), kill)
tick(project, options)
"""

BESIDE = TICK.replace(
    "tick(project, options)\n",
    """\
from wtwatch.daemon.background import Background
beside = Background(lambda: None)
options = options._replace(beside=beside)
tick(project, options)
beside.wait(60)
tick(project, options)
""",
)
"""The same as the daemon does it, with a lane that is made beside its ticks."""

UNDER_EXEC = TICK.replace(
    "tick(project, options)\n",
    """\
from tests.lanes.test_meanwhile import by_hand, ticked
with by_hand(project):
    ticked(project)
""",
)
"""A tick while somebody has the run tree by `wtwatch exec`."""

WORK = TickOptions(start_jobs=True, patience=20.0)

pytestmark = pytest.mark.usefixtures("warm")


def made(name: str) -> JobSpec:
    """Return a job that commits a file of that name itself."""
    return JobSpec(f"echo {name} > {name} && git add {name} && git commit -q -m 'job {name}'", plain=True)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house with two lanes, and two jobs that wait."""
    house = House.built(tmp_path / "house", lanes=2)
    for_jobs(house.tree)  # which makes once what lies elsewhere
    Queue(house.project.state).add([made("a"), made("b")], Trigger.NOW, house.head())
    return house


def jobs_of(house: House) -> list[Job]:
    return Queue(house.project.state).jobs()


def is_over(house: House, **settings: int) -> bool:
    ticked(house.project._replace(**settings), WORK)  # type: ignore[arg-type]
    free = all(notes.lease(lane) is None for lane in notes.known(house.project))
    return free and all(isinstance(job.state, Ended) for job in jobs_of(house))


def are_given_up(house: House) -> bool:
    """Tick without lanes; return whether none is left, and code is where it is to be."""
    ticked(house.project._replace(lanes=1), WORK)
    return notes.known(house.project) == [] and house.head() == house.git("rev-parse", "runs")


def is_over_so_far(house: House) -> bool:
    """Tick; return whether the first job has ended, and no lane is taken."""
    ticked(house.project, WORK)
    free = all(notes.lease(lane) is None for lane in notes.known(house.project))
    return free and isinstance(jobs_of(house)[0].state, Ended)


def assert_one_truthful_end_each(house: House, *by_hand: str) -> None:
    """Each job has ended, and its one commit is on the run branch if it succeeded; nothing else is left."""
    eventually(partial(is_over, house), within=120)
    ticked(house.project, WORK)
    run, expected = house.project.run_tree, list(by_hand)
    for job, name in zip(jobs_of(house), "ab", strict=True):
        assert isinstance(job.state, Ended)
        good = job.state.outcome is Outcome.SUCCEEDED
        assert good or job.state.outcome is Outcome.INTERRUPTED, job.state
        expected += [f"job {name}"] if good else []
        assert (run / name).exists() == good
        subjects = [house.git("log", "-1", "--format=%s", commit, cwd=run) for commit in job.state.commits]
        assert subjects == ([f"job {name}"] if good else [])
    subjects = house.git("log", "--format=%s", "main..HEAD", cwd=run).split("\n")
    assert sorted(filter(None, subjects)) == sorted(expected)
    assert house.git("rev-list", "--merges", "main..HEAD", cwd=run) == ""
    assert house.git("status", "--porcelain", cwd=run) == ""
    assert house.git("for-each-ref", "refs/wtwatch/p/done", "refs/wtwatch/p/laid", cwd=run) == ""
    for lane in notes.known(house.project):
        if lane.path.exists():
            assert house.git("status", "--porcelain", cwd=lane.path) == ""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_job_whose_start_in_a_lane_is_killed_at_each_step_ends_once(
    house: House, tmp_path: Path, kills: Kills, part: int
) -> None:
    root = house.project.main_tree.parent
    seen = []
    struck = struck_at_each(root, tmp_path, BESIDE, str(root), part=part, parts=2)
    for step in kills.each("a start in a lane at each step", struck):
        assert_one_truthful_end_each(house)
        assert not any(notes.maker(lane) for lane in notes.known(house.project))
        seen.append(step)
    assert any(word in step for step in seen for word in ("worktree add", "locked"))


@pytest.mark.slow
def test_a_job_whose_start_under_exec_is_killed_at_each_step_ends_once(
    house: House, tmp_path: Path, kills: Kills
) -> None:
    root, queue = house.project.main_tree.parent, Queue(house.project.state)
    ticked(house.project, WORK)
    queue.pause()
    eventually(lambda: is_over_so_far(house), within=60)
    queue.resume()
    assert [job.word for job in jobs_of(house)] == ["succeeded", "waiting"] and queue.under_way()
    struck = struck_at_each(root, tmp_path, UNDER_EXEC, str(root), since="lanes.lock")
    seen = []
    for step in kills.each("a start under exec at each step", struck):
        with by_hand(house.project):  # by another one, while a new daemon looks
            ticked_under_exec(house.project)
            assert jobs_of(house)[1].word == "running"
        assert_one_truthful_end_each(house)
        seen.append(step)
    assert any("lease" in step for step in seen)


@pytest.mark.slow
def test_a_lane_whose_making_is_killed_while_code_moves_and_lanes_are_given_up_leaves_nothing(
    house: House, tmp_path: Path, kills: Kills
) -> None:
    root = house.project.main_tree.parent
    struck = struck_at_each(root, tmp_path, BESIDE, str(root), part=1, parts=3, since="making")
    for _ in kills.each("a lane in the making at each third step", struck):
        new = house.commit({"a.py": "a = 3\n"})
        eventually(partial(is_over, house, lanes=1), within=60)
        assert [job.word for job in jobs_of(house)].count("waiting") == 0
        eventually(partial(are_given_up, house))
        assert house.git("worktree", "list", cwd=house.project.run_tree).count(".lane") == 0
        assert house.head(house.code) == new


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_result_whose_way_home_is_killed_at_each_step_comes_home_once(
    house: House, tmp_path: Path, kills: Kills, part: int
) -> None:
    root, run = house.project.main_tree.parent, house.project.run_tree
    ticked(house.project, WORK)
    first = jobs_of(house)[0]
    eventually(Folder.of(house.project.state, first.id, 1).result)
    with held(RunTree.of_lane(house.project, 1).lock, wait=60):
        pass  # its process is gone
    write(run, "notes", "by hand\n")
    house.git("add", "notes", cwd=run)
    house.git("commit", "-q", "-m", "by hand", cwd=run)
    seen = []
    struck = struck_at_each(root, tmp_path, TICK, str(root), part=part, parts=2)
    for step in kills.each("a result's way home at each step", struck):
        assert_one_truthful_end_each(house, "by hand")
        seen.append(step)
    assert any(word in step for step in seen for word in ("merge", "commit-tree", "laid"))
