"""One tick: it does what is needed, once, and otherwise touches nothing."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import Lab, eventually
from tests.room import let_git_know_nobody
from wtwatch import reconcile
from wtwatch.doors.files import bell_in, held
from wtwatch.doors.processes import identity, is_alive
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder, Order
from wtwatch.project.config import Project, read_project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.tree import save
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Freshness, Job, JobSpec, Outcome, Running, Trigger, now

LOOK = TickOptions()
WORK = TickOptions(start_jobs=True)


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    """A project that was set up a moment ago, whose batches start as soon as the bookmark moved."""
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0)


def plain(project: Project, *commands: str, trigger: Trigger = Trigger.NOW) -> list[Job]:
    tip = save.pointer_of(RunTree.of(project)).recorded
    assert tip
    return Queue(project.state).add([JobSpec(command, plain=True) for command in commands], trigger, tip)


def ran(project: Project, job: Job) -> bool:
    return Folder.of(project.state, job.id, job.attempt).result() is not None


def traces(*trees: Path) -> dict[str, tuple[int, int]]:
    """Return which file is where, and when each was written, of all files below these folders."""
    files = [file for tree in trees for file in tree.rglob("*") if "objects" not in file.parts]
    return {str(file): (file.lstat().st_ino, file.lstat().st_mtime_ns) for file in files}


def test_a_tick_with_nothing_to_do_touches_nothing(lab: Lab, project: Project) -> None:
    tick(project, WORK)
    before = traces(lab.main / ".git", lab.code / ".git", lab.run_code)
    assert tick(project, WORK) == Done()
    assert traces(lab.main / ".git", lab.code / ".git", lab.run_code) == before


def test_a_move_is_followed_once(lab: Lab, project: Project) -> None:
    old = lab.commit("runs")
    lab.change_code("v2", "a second version")
    new = lab.move_bookmark()
    done = tick(project, LOOK)
    assert done.moved and (done.moved.old, done.moved.new) == (old, new)
    assert done.pointer == lab.commit("HEAD", lab.run)
    assert tick(project, LOOK) == Done()


def test_what_waits_for_a_move_starts_once_the_bookmark_is_still(lab: Lab, project: Project) -> None:
    patient = project._replace(settle=30.0)
    plain(project, "true", trigger=Trigger.ON_MOVE)
    lab.change_code("v2", "a second version")
    lab.move_bookmark()
    done = tick(patient, WORK)
    assert done.moved and not done.fired and not done.started
    left = patient.settle - Queue(project.state).still(lab.commit("runs"))
    assert done.again_in and left <= done.again_in <= patient.settle
    assert tick(patient, LOOK._replace(hurry=True)).fired == (1,)


def test_a_move_of_documentation_alone_starts_nothing(lab: Lab, project: Project) -> None:
    plain(project, "true", trigger=Trigger.ON_MOVE)
    (lab.code / "README.md").write_text("read me\n")
    (lab.code / "docs").mkdir()
    (lab.code / "docs" / "figure.py").write_text("print()\n")
    lab.git("add", ".", cwd=lab.code)
    lab.git("commit", "-qm", "explain", cwd=lab.code)
    lab.move_bookmark()
    done = tick(project, WORK)
    assert done.moved and not done.fired
    lab.change_code("v2", "a second version")
    lab.move_bookmark()
    assert tick(project, LOOK).fired == (1,)


def test_the_bookmark_counts_as_still_since_it_moved_also_during_a_batch(lab: Lab, project: Project) -> None:
    [job] = plain(project, "true")
    begin_here(lab, project, job)
    lab.change_code("v2", "a second version")
    new, before = lab.move_bookmark(), now()
    assert tick(project, WORK).again_in
    queue = Queue(project.state)
    noted = queue.tip()
    assert noted and noted.commit == new and before <= noted.at <= now()
    tick(project, WORK)
    assert queue.tip() == noted


def begin_here(lab: Lab, project: Project, job: Job) -> Job:
    """Let this very process pass for the one that does the job."""
    code, base = lab.commit("HEAD", lab.run_code), lab.commit("HEAD", lab.run)
    bell = lab.root / "bell"
    order = Order(1, 1, job.queued, "uuid", now(), lab.run, lab.run_code, code, base, bell, job.spec)
    folder = Folder.of(project.state, job.id, job.attempt)
    folder.write_order(order)
    myself = identity(os.getpid())
    assert myself
    folder.write_started(myself, order.uuid, order.at)
    Queue(project.state).begin(job.id, Running(order.at, code, base, order.uuid))
    return Queue(project.state).job(job.id)


def test_two_ticks_at_once_end_a_job_once(lab: Lab, project: Project) -> None:
    first, _ = plain(project, "exit 3", "true")
    assert (started := tick(project, WORK).started) and started.id == first.id
    eventually(lambda: ran(project, first))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: tick(project, LOOK._replace(patience=10.0)), range(2)))
    ended = [done.ended for done in both if done.ended]
    assert [(job.id, job.word) for job in ended] == [(first.id, "failed")]


def test_an_end_that_was_told_already_is_passed_over(lab: Lab, project: Project) -> None:
    [job] = plain(project, "true")
    tick(project, WORK)
    eventually(lambda: ran(project, job))
    running = Queue(project.state).running()
    assert running
    over = lifecycle.end_of(RunTree.of(project), running, cancelled=False)
    assert isinstance(over, Ended) and over.outcome is Outcome.SUCCEEDED
    tick(project, LOOK)
    assert not Queue(project.state).end(job.id, over)


def test_a_batch_keeps_its_code_though_a_job_commits_into_it(lab: Lab, project: Project) -> None:
    """A job that commits into code, and saves that in the superdataset, has failed, and moves nobody."""
    code = lab.commit("HEAD", lab.run_code)
    meddle = "git -C code commit -q --allow-empty -m mine && git add code && git commit -qm 'other code'"
    first, second = plain(project, meddle, "true")
    tick(project, WORK)
    eventually(lambda: ran(project, first))
    strange = lab.commit("HEAD", lab.run_code)
    done = tick(project, WORK)
    assert done.ended and done.ended.word == "failed"
    assert strange in str(Queue(project.state).job(first.id).state)
    assert lab.git("rev-parse", "HEAD:code", cwd=lab.run) == code == lab.commit("HEAD", lab.run_code)
    assert done.started and done.started.id == second.id
    assert lab.commit(f"refs/wtwatch/keep/{strange}") == strange
    eventually(lambda: ran(project, second))


def test_while_a_batch_is_under_way_a_tree_that_somebody_changed_is_said(lab: Lab, project: Project) -> None:
    first, _ = plain(project, "true", "true")
    tick(project, WORK)
    eventually(lambda: ran(project, first))
    lab.edit_version("mine", lab.run_code)
    done = tick(project, WORK)
    assert done.ended and not done.started
    assert done.waits and "src/process2p/version.py" in done.waits
    lab.git("checkout", "--quiet", "--", ".", cwd=lab.run_code)
    lab.git("commit", "--quiet", "--allow-empty", "-m", "mine", cwd=lab.run_code)
    done = tick(project, WORK)
    assert done.waits and "took the run tree's code elsewhere" in done.waits
    assert Queue(project.state).waits()


def test_a_move_without_a_git_identity_is_made_up_to_its_pointer_and_goes_on_when_there_is_one(
    tmp_path: Path,
) -> None:
    house = House.built(tmp_path / "p")
    house.edit("a.py", "edited\n")
    tip = house.commit({"a.py": "2\n"})
    let_git_know_nobody(Path.home())
    done = tick(house.project, LOOK)
    assert done.backup and done.moved and done.moved.new == tip == house.head()
    assert done.moved.backup == done.backup.id and done.pointer is None
    assert done.waits and "does not know who you are" in done.waits
    assert done.hint and "git config --global user.name" in done.hint
    noted = Queue(house.project.state).waits()
    assert noted and (noted.reason, noted.hint) == (done.waits, done.hint)
    again = tick(house.project, LOOK)
    assert again.waits == done.waits and again.backup is None and again.moved is None
    subprocess.run(["sh", "-ec", done.hint], check=True)
    assert tick(house.project, LOOK).pointer == house.head(house.project.run_tree)
    assert Queue(house.project.state).waits() is None


def test_a_pointer_is_not_saved_while_somebody_works_in_the_tree(lab: Lab, project: Project) -> None:
    other = lab.change_code("v2", "a second version")
    lab.git("update-index", "--cacheinfo", f"160000,{other},code", cwd=lab.run)
    lab.git("commit", "--quiet", "-m", "by hand", cwd=lab.run)
    by_hand = lab.commit("HEAD", lab.run)
    with subprocess.Popen(["cat"], cwd=lab.run, stdin=subprocess.PIPE) as process:
        done = tick(project, WORK)
        assert [one.pid for one in done.busy] == [process.pid]
        assert lab.commit("HEAD", lab.run) == by_hand
        assert tick(project, LOOK._replace(ignore=(process.pid,))).pointer
        process.communicate()
    assert lab.git("rev-parse", "HEAD:code", cwd=lab.run) == lab.commit("runs")


def test_a_run_tree_that_is_back_is_not_called_gone_any_more(lab: Lab, project: Project) -> None:
    lab.run.rename(lab.root / "unmounted")
    with pytest.raises(WtwatchError, match="is gone") as trouble:
        tick(project, WORK)
    reconcile.explain_error(project, trouble.value)
    assert status.describe(project).standpoint.freshness is Freshness.MISSING
    (lab.root / "unmounted").rename(lab.run)
    told = status.describe(project).standpoint
    assert (told.freshness, told.reason) == (Freshness.FRESH, None)


def test_a_run_tree_without_its_code_is_said(lab: Lab, project: Project) -> None:
    lab.run_code.rename(lab.root / "elsewhere")
    with pytest.raises(WtwatchError, match="not whole") as caught:
        tick(project, WORK)
    assert "init" in (caught.value.hint or "")
    lab.run.rename(lab.root / "all")
    with pytest.raises(WtwatchError, match="is gone"):
        tick(project, WORK)


@pytest.mark.parametrize("trigger", [Trigger.NOW, Trigger.ON_MOVE])
def test_while_the_bookmark_is_on_jjs_working_copy_the_tree_follows_but_no_batch_starts(
    tmp_path: Path, trigger: Trigger
) -> None:
    house = House.built(tmp_path / "house", settle=0.0)
    code = house.project.main_code
    house.git("checkout", "-q", "--detach")
    subprocess.run(["jj", "--quiet", "git", "init", "--colocate"], cwd=code, check=True)
    tick(house.project, WORK)
    plain(house.project, "true", trigger=trigger)
    (code / "a.py").write_text("a = 2\n")
    for way in ("bookmark set runs -r @", "describe -m another"):  # both move it
        subprocess.run(["jj", "--quiet", *way.split()], cwd=code, check=True)
        done = tick(house.project, WORK)
        assert done.moved and done.moved.new == house.head() == house.git("rev-parse", "runs")
        assert done.waits and "working-copy commit" in done.waits and done.hint
        assert not done.fired and not done.started
        assert status.describe(house.project).standpoint.reason == done.waits
    subprocess.run(["jj", "--quiet", "new"], cwd=code, check=True)
    assert tick(house.project, LOOK).waits is None
    queue = Queue(house.project.state)
    assert queue.next_job() and not queue.pending(house.head())


# both ends of a job


def done_with(project: Project, job: Job) -> Done:
    """Start a job, wait until its process is done, and tick."""
    started = tick(project, WORK).started
    assert started and started.id == job.id
    eventually(lambda: ran(project, job))
    return tick(project, WORK)


def test_the_process_of_a_job_that_is_over_is_nobody_who_works_in_the_tree(tmp_path: Path) -> None:
    house = House.built(tmp_path / "p")
    bell = bell_in(house.project.main_code / ".git")
    bell.parent.mkdir()
    os.mkfifo(bell)  # to ring it, which is what that process does last, it waits for somebody to hear
    tick(house.project, WORK)
    [job] = plain(house.project, "true")
    tick(house.project, WORK)
    process = Folder.of(house.project.state, job.id, job.attempt).started()
    assert process
    try:
        eventually(lambda: ran(house.project, job))
        house.commit({"a.py": "a = 2\n"})
        done = tick(house.project, WORK)
        assert is_alive(process) and done.ended and done.moved, done
    finally:
        os.close(os.open(bell, os.O_RDONLY | os.O_NONBLOCK))
    eventually(lambda: not is_alive(process))


def test_how_a_job_ended_is_known_though_nothing_can_be_cleared_up(lab: Lab, project: Project) -> None:
    first, second = plain(project, "echo 1 > left; exit 3", "true")
    shelf = RunTree.of(project).shelf
    shelf.write_text("in the way of the folder for leftovers\n")
    done = done_with(project, first)
    assert done.ended and (done.ended.id, done.ended.word) == (first.id, "failed")
    assert not done.started and str(shelf) in str(done.waits)
    assert "wtwatch itself" not in str(done.waits)
    assert [job.word for job in Queue(project.state).jobs()] == ["failed", "waiting"]
    shelf.unlink()
    done = tick(project, WORK)
    assert done.waits is None and done.started and done.started.id == second.id
    assert (shelf / "jobs" / f"{first.id}.1" / "left").read_text() == "1\n"
    assert str(shelf) in str(Queue(project.state).job(first.id).state)
    eventually(lambda: ran(project, second))


def test_how_a_job_ended_is_known_though_nobody_can_read_what_it_makes_no_more(
    lab: Lab, project: Project
) -> None:
    [job] = plain(project, "true")
    tick(project, WORK)
    eventually(lambda: ran(project, job))
    (project.state / f"jobs/{job.id}.1/outlived").write_text('{"paths": 3')
    done = tick(project, WORK)
    assert done.ended and done.waits is None and isinstance(done.ended.state, Ended)
    assert done.ended.state.outcome is Outcome.SUCCEEDED
    assert "what it does not make any more" in (done.ended.state.detail or "")


def test_clearing_up_that_was_cut_off_is_done_by_the_next_tick(lab: Lab, project: Project) -> None:
    [job] = plain(project, "echo 1 > left; exit 3")
    tick(project, WORK)
    eventually(lambda: ran(project, job))
    queue = Queue(project.state)
    running = queue.running()
    assert running
    over = lifecycle.end_of(RunTree.of(project), running, cancelled=False)
    assert isinstance(over, Ended) and queue.end(job.id, over)  # and killed before anything else
    assert tick(project, WORK).waits is None
    assert not (lab.run / "left").exists() and queue.uncleared() is None


def test_somebody_who_works_in_the_tree_is_waited_for_before_it_is_cleared_up(
    lab: Lab, project: Project
) -> None:
    first, second = plain(project, "echo 1 > left; exit 3", "true")
    tick(project, WORK)
    eventually(lambda: ran(project, first))
    with subprocess.Popen(["cat"], cwd=lab.run, stdin=subprocess.PIPE) as process:
        done = tick(project, WORK)
        assert done.ended and done.ended.word == "failed" and not done.started
        assert [one.pid for one in done.busy] == [process.pid] and (lab.run / "left").exists()
        process.communicate()
    done = tick(project, WORK)
    assert done.started and done.started.id == second.id and not (lab.run / "left").exists()
    eventually(lambda: ran(project, second))


def test_what_a_failed_job_left_in_code_does_not_hold_up_the_night(lab: Lab, project: Project) -> None:
    first, second = plain(project, "echo 1 > code/scratch; exit 3", "true")
    done = done_with(project, first)
    assert done.started and done.started.id == second.id
    assert not (lab.run_code / "scratch").exists()
    eventually(lambda: ran(project, second))


def test_nothing_starts_off_the_branch_and_the_way_back_keeps_what_was_committed(
    lab: Lab, project: Project
) -> None:
    lab.git("checkout", "-q", "--detach", cwd=lab.run)
    lab.git("commit", "-q", "--allow-empty", "-m", "mine", cwd=lab.run)
    mine = lab.commit("HEAD", lab.run)
    [job] = plain(project, "true")
    done = tick(project, WORK)
    assert not done.started and "is on no branch" in str(done.waits)
    keep, _, back = str(done.hint).partition("; then: ")
    for words in (keep.rpartition(": ")[2], back):
        lab.say("sh", "-c", words)
    assert lab.commit("kept-results", lab.run) == mine
    assert done_with(project, job).ended


def test_a_job_before_whose_command_the_tree_changed_waits_for_it_to_be_clean(
    lab: Lab, project: Project
) -> None:
    [job] = plain(project, "true")
    tree, queue = RunTree.of(project), Queue(project.state)
    code_sha, base = lab.commit("HEAD", lab.run_code), lab.commit("HEAD", lab.run)
    demanded = lifecycle.demands(tree, job.spec, code_sha)
    (lab.run / "mine").write_text("mine\n")
    with held(tree.lock) as lock:
        queue.begin(job.id, lifecycle.start(tree, job, demanded, lifecycle.Ground(base, lock)))
    eventually(lambda: ran(project, job))
    done = tick(project, WORK)
    assert not done.ended and "mine: not saved" in str(done.waits)
    assert [one.word for one in queue.jobs()] == ["waiting"]
    (lab.run / "mine").unlink()
    assert done_with(project, job).ended
