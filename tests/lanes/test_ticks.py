"""Ticks with lanes: which code a batch gets, what people do to lanes, what results wait for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.house import House, write
from tests.lab import eventually
from tests.pathhouse import PathHouse
from wtwatch.doors.files import held
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.words.errors import Busy
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, Trigger, Waiting, now

WORK = TickOptions(start_jobs=True, patience=5.0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house with two lanes; a plain job in it runs alone, as it may write anything."""
    return House.built(tmp_path / "house", lanes=2, settle=0.0)


def saves(name: str) -> JobSpec:
    """Return a job that commits a file of that name itself."""
    return JobSpec(f"echo {name} > {name} && git add {name} && git commit -q -m 'job {name}'", plain=True)


def queued(project: Project, base: Sha, *specs: JobSpec, trigger: Trigger = Trigger.NOW) -> list[Job]:
    return Queue(project.state).add(specs, trigger, base)


def state_of(project: Project, job: Job) -> object:
    return Queue(project.state).job(job.id).state


def has_ended(project: Project, *jobs: Job) -> bool:
    tick(project, WORK)
    return all(isinstance(state_of(project, job), Ended) for job in jobs)


def ended(project: Project, job: Job) -> Ended:
    """Tick until a job has ended; return how."""
    eventually(partial(has_ended, project, job), within=60)
    state = state_of(project, job)
    assert isinstance(state, Ended)
    return state


def at_rest(project: Project) -> None:
    """Tick until no lane is taken: the process of a job that is over has its lane for a moment more."""

    def all_are_free() -> bool:
        tick(project, WORK)
        return all(notes.lease(lane) is None for lane in notes.known(project))

    eventually(all_are_free)


def lane_of(project: Project, number: int = 1) -> RunTree:
    return RunTree.of_lane(project, number)


def test_a_batch_that_a_move_starts_runs_on_the_new_code(house: House, tmp_path: Path) -> None:
    (job,) = queued(house.project, house.head(), saves("a"), trigger=Trigger.ON_MOVE)
    new = house.commit({"a.py": "a = 2\n"})
    assert ended(house.project, job).code_sha == new
    assert (lane_of(house.project).code_path / "a.py").read_text() == "a = 2\n"
    folder = PathHouse(tmp_path / "folder", lanes=2, settle=0.0)
    (job,) = queued(
        folder.project, Sha(folder.git("rev-parse", "runs-code")), saves("a"), trigger=Trigger.ON_MOVE
    )
    folder.save(code__a="v2\n")
    new = folder.release()
    over = ended(folder.project, job)
    assert (over.code_sha, over.outcome) == (new, Outcome.SUCCEEDED)


def test_results_wait_for_who_works_in_the_run_tree_and_it_is_said(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    tick(house.project, WORK)
    eventually(Folder.of(house.project.state, job.id, 1).result, within=60)
    by_hand = "import sys; open('by-hand', 'w'); print('in', flush=True); sys.stdin.read()"
    at = house.head(house.project.run_tree)
    with subprocess.Popen(
        [sys.executable, "-c", by_hand],
        cwd=house.project.run_tree,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stdout.readline() == b"in\n"
        done = tick(house.project, WORK)
        assert "so results of jobs in lanes wait" in (done.waits or "") and done.busy
        assert house.head(house.project.run_tree) == at
        process.communicate()
    with held(house.tree.lock), pytest.raises(Busy):  # as `exec` has it
        tick(house.project, TickOptions(start_jobs=True))
    assert ended(house.project, job).outcome is Outcome.SUCCEEDED
    assert (house.project.run_tree / "by-hand").exists()


def test_an_idle_lane_that_was_removed_is_made_again(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    ended(house.project, job)
    at_rest(house.project)
    shutil.rmtree(lane_of(house.project).path)
    (job,) = queued(house.project, house.head(), saves("b"))
    assert ended(house.project, job).outcome is Outcome.SUCCEEDED
    assert (lane_of(house.project).path / "b").exists()


def test_a_job_whose_lane_was_taken_away_was_cut_off_and_the_next_one_runs(
    house: House, tmp_path: Path
) -> None:
    waits = f": > {tmp_path}/begun; while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done"
    first, second = queued(house.project, house.head(), JobSpec(waits, plain=True), saves("b"))
    tick(house.project, WORK)
    eventually((tmp_path / "begun").exists)  # else it waits once more
    lane = lane_of(house.project).path
    lane.rename(tmp_path / "elsewhere")
    (tmp_path / "gate").touch()
    over = ended(house.project, first)
    assert over.outcome in (Outcome.INTERRUPTED, Outcome.FAILED) and over.commits == ()
    assert ended(house.project, second).outcome is Outcome.SUCCEEDED


def test_a_lane_that_somebody_edited_is_left_alone_and_another_one_used(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    ended(house.project, job)
    at_rest(house.project)
    lane = lane_of(house.project)
    write(lane.path, "a", "edited\n")
    write(house.project.run_tree, "a", "by hand\n")
    house.git("commit", "-q", "-am", "by hand", cwd=house.project.run_tree)
    (job,) = queued(house.project, house.head(), saves("b"))
    over = ended(house.project, job)
    assert (over.outcome, over.lane) == (Outcome.SUCCEEDED, 2)
    assert (lane.path / "a").read_text() == "edited\n"
    noted = notes.held(lane)
    assert noted and "Lane 1 cannot be used" in noted.reason
    house.git("checkout", "-q", "a", cwd=lane.path)
    (job,) = queued(house.project, house.head(), saves("c"))
    assert ended(house.project, job).lane == 1 and notes.held(lane) is None


def test_what_a_failed_job_left_in_its_lane_is_moved_out_and_its_commits_kept(house: House) -> None:
    fails = "echo 1 > mine && git add mine && git commit -q -m mine; echo 2 > left; echo 3 >> mine; exit 3"
    (job,) = queued(house.project, house.head(), JobSpec(fails, plain=True))
    over = ended(house.project, job)
    assert (over.outcome, over.exit) == (Outcome.FAILED, 3)
    at_rest(house.project)
    lane = lane_of(house.project)
    assert house.git("status", "--porcelain", cwd=lane.path) == ""
    shelf = house.tree.shelf / "jobs" / f"{job.id}.1"
    assert (shelf / "left").read_text() == "2\n" and (shelf / "mine").read_text() == "1\n3\n"
    detail = Queue(house.project.state).job(job.id).state
    assert isinstance(detail, Ended) and "refs/wtwatch/p/left/1.1" in (detail.detail or "")
    assert house.git("show", "refs/wtwatch/p/left/1.1:mine", cwd=house.project.run_tree) == "1"
    assert not (house.project.run_tree / "mine").exists() and notes.lease(lane) is None


def test_a_job_in_a_lane_that_is_cancelled_ends_and_frees_it(house: House, tmp_path: Path) -> None:
    (job,) = queued(house.project, house.head(), JobSpec("sleep 600", plain=True))
    tick(house.project, WORK)
    Queue(house.project.state).cancel([job.id])
    assert ended(house.project, job).outcome is Outcome.CANCELLED
    at_rest(house.project)


def test_lanes_that_are_given_up_go_once_their_jobs_are_over(house: House, tmp_path: Path) -> None:
    waits = JobSpec(f"while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done", plain=True)
    first, second = queued(house.project, house.head(), waits, saves("b"))
    tick(house.project, WORK)
    without = house.project._replace(lanes=1)
    tick(without, WORK)
    assert lane_of(without).path.exists() and state_of(without, second) == Waiting()
    (tmp_path / "gate").touch()
    ended(without, first)
    over = ended(without, second)
    at_rest(without)
    assert (over.outcome, over.lane) == (Outcome.SUCCEEDED, None)
    assert not lane_of(without).path.exists() and notes.known(without) == []
    assert house.git("worktree", "list", cwd=house.project.run_tree).count("\n") == 1
    assert house.git("for-each-ref", "refs/wtwatch/p/lane1", cwd=house.project.main_code) == ""


def test_a_lane_with_contents_stays_and_says_so(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    ended(house.project, job)
    at_rest(house.project)
    lane = lane_of(house.project)
    write(lane.path, "code/notes.log", "precious\n")  # which git ignores
    without = house.project._replace(lanes=1)
    tick(without, WORK)
    assert (lane.path / "code/notes.log").read_text() == "precious\n"
    noted = notes.held(lane)
    assert noted and "code/notes.log" in noted.reason
    (lane.path / "code/notes.log").unlink()
    tick(without, WORK)
    assert not lane.path.exists()


def test_a_quiet_tick_with_lanes_starts_no_program_and_does_nothing(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    ended(house.project, job)
    at_rest(house.project)
    tick(house.project, WORK)
    assert tick(house.project, WORK) == Done()


def test_a_job_that_has_to_run_once_more_is_told_with_the_reason(house: House, tmp_path: Path) -> None:
    waits = f"until [ -e {tmp_path}/gate ]; do sleep 0.02; done; {saves('a').command}"
    (job,) = queued(house.project, house.head(), JobSpec(waits, plain=True))
    tick(house.project, WORK)
    write(house.project.run_tree, "a", "by hand\n")
    house.git("add", "a", cwd=house.project.run_tree)
    house.git("commit", "-q", "-m", "by hand", cwd=house.project.run_tree)
    (tmp_path / "gate").touch()
    told = eventually(lambda: tick(house.project, WORK).put_back, within=60)
    assert [(one.id, why) for one, why in told] == [(job.id, "a changed meanwhile, which it reads or writes")]
    assert ended(house.project, job).outcome is Outcome.SUCCEEDED
    known = Queue(house.project.state).job(job.id).put_back
    assert known and (known.times, known.why) == (1, "a changed meanwhile, which it reads or writes")


def test_no_more_jobs_begin_than_a_batch_is_to_pause_after(house: House) -> None:
    queue = Queue(house.project.state)
    specs = [JobSpec("true", outputs=(f"out/{number}",)) for number in range(4)]
    jobs = queue.add(specs, Trigger.NOW, house.head(), first=2)
    for lane, job in enumerate(jobs[:2], 1):
        assert queue.next_batch() == job.batch
        queue.begin(job.id, Running(now(), house.head(), house.head(), f"u{lane}", lane))
    assert queue.next_batch() is None
    for job in jobs[:2]:
        queue.end(job.id, Ended(now(), now(), house.head(), Outcome.SUCCEEDED))
    assert queue.paused()
    queue.resume()
    assert queue.next_batch() == jobs[2].batch


def test_lanes_that_cannot_be_made_are_said_and_not_tried_over_and_over(house: House) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    write(lane_of(house.project).path, "mine.txt", "in the way\n")
    write(lane_of(house.project, 2).path, "mine.txt", "in the way\n")
    assert tick(house.project, WORK).again_in == 0.0, "another one may be made"
    for _ in range(3):
        done = tick(house.project, WORK)
        assert done.waits and "holds files" in done.waits and done.again_in != 0.0
    shutil.rmtree(lane_of(house.project, 2).path)
    assert ended(house.project, job).lane == 2


def test_jobs_of_a_cluster_run_in_lanes_even_if_it_is_one(house: House) -> None:
    assert house.project._replace(lanes=1).in_lanes == 0
    assert house.project._replace(lanes=1, executor=(("kind", "slurm"),)).in_lanes == 1
    assert house.project._replace(lanes=3, executor=(("kind", "here"),)).in_lanes == 3


def test_a_result_whose_process_was_killed_before_it_could_say_so_is_kept_though_its_lane_is_used_again(
    house: House,
) -> None:
    (job,) = queued(house.project, house.head(), saves("a"))
    tick(house.project, WORK)
    folder, lane = Folder.of(house.project.state, job.id, 1), lane_of(house.project)
    eventually(folder.result, within=60)
    with held(lane.lock, wait=60.0):  # until its process is gone
        (folder.path / "outcome").unlink()
    by_hand = "import sys; print('in', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", by_hand]
    with subprocess.Popen(
        words, cwd=house.project.run_tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stdout.readline() == b"in\n"
        eventually(lambda: tick(house.project, WORK).busy and notes.lease(lane) is None, within=60)
        house.git("checkout", "-q", "--detach", "HEAD~1", cwd=lane.path)
        tick(house.project, WORK)
        process.communicate()
    over = ended(house.project, job)
    assert over.outcome is Outcome.SUCCEEDED and len(over.commits) == 1
    assert (house.project.run_tree / "a").read_text() == "a\n"
