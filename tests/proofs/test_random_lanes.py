"""Many jobs at random on three lanes, while daemon and jobs are killed, code moves, and git prunes.

`WTWATCH_JOBS` says how many, `WTWATCH_SEED` plays a run again, as far as processes take the same turns.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest

from tests.conftest import Say
from tests.lab import Lab, eventually, running_daemon
from tests.tally import Kills
from wtwatch.doors.dataset import record_of
from wtwatch.doors.files import bell_in, ring
from wtwatch.doors.processes import is_alive
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project, read_project, write_project
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Sha, Trigger

JOBS = int(os.environ.get("WTWATCH_JOBS") or 40)  # read here, since the room of a test is sealed
SEED = int(os.environ.get("WTWATCH_SEED") or int.from_bytes(os.urandom(4)))
BATCHES = 4


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    say(lab.main, "init")
    project = read_project(lab.project().state / "config.toml")._replace(settle=0.0, lanes=3)
    write_project(project)
    return project


def some_job(dice: random.Random, number: int) -> JobSpec:
    """Return a job that makes a file, sometimes one of others, or reads one, or fails, or takes its time."""
    output = f"out/{dice.randrange(6)}/{number}" if dice.random() < 0.8 else f"out/{dice.randrange(4)}"
    if dice.random() < 0.2:
        output = f"inputs/L5b_2p/made/{number}"
    reads = dice.choice(["", "", f"out/{dice.randrange(6)}"])
    commands = [
        f"mkdir -p $(dirname {output})",
        f"sleep {dice.choice([0, 0, 0.1, 0.5])}",
        f"rm -rf {output}; echo {number} {dice.random()} > {output}",
    ]
    if dice.random() < 0.1:
        commands.append("echo stray > stray; exit 3")
    return JobSpec("; ".join(commands), f"job {number}", (reads,) if reads else (), (output,))


@pytest.mark.slow
def test_each_of_many_jobs_has_one_truthful_end_whatever_happens(
    lab: Lab, project: Project, kills: Kills
) -> None:
    print(f"WTWATCH_SEED={SEED}")
    dice, queue = random.Random(SEED), Queue(project.state)
    base = lab.commit("HEAD", lab.run)
    for batch in range(BATCHES):
        jobs = [some_job(dice, batch * 1000 + number) for number in range(JOBS // BATCHES)]
        jobs = [
            job._replace(inputs=tuple(path for path in job.inputs if (lab.run / path).exists()))
            for job in jobs
        ]
        queue.add(jobs, Trigger.NOW, lab.commit("runs"))
        work_off(lab, project, dice, kills)
        lab.change_code(f"v{batch}", f"version {batch}")
        lab.move_bookmark()
    with running_daemon(lab.root):
        eventually(partial(is_at_rest, project), within=240)
    assert_true(lab, project, base)


def is_at_rest(project: Project) -> bool:
    over = all(isinstance(job.state, Ended) for job in Queue(project.state).jobs())
    return over and all(notes.lease(lane) is None for lane in notes.known(project))


def work_off(lab: Lab, project: Project, dice: random.Random, kills: Kills) -> None:
    """Have daemons work until all is over, and kill them, and jobs, and prune, until then."""
    while not is_at_rest(project):
        with running_daemon(lab.root) as daemon:
            for _ in range(dice.randrange(2, 8)):
                hurt(lab, project, dice, kills)
                if is_at_rest(project):
                    return
            daemon.kill()
            with kills.survived("a daemon with lanes"):
                daemon.wait()


def hurt(lab: Lab, project: Project, dice: random.Random, kills: Kills) -> None:
    """Kill a job's own process, or one of its command; or prune; or let time pass."""
    what = dice.random()
    if what < 0.2:
        running = [job for job in Queue(project.state).living() if isinstance(job.state, Running)]
        folders = [Folder.of(project.state, job.id, job.attempt) for job in running]
        process = next(filter(None, (folder.started() for folder in folders)), None)
        if process is not None and is_alive(process):
            with suppress(ProcessLookupError):  # it may end this very moment
                os.kill(process.pid, signal.SIGKILL)
                with kills.survived("a job in a lane"):
                    pass  # what comes of it is looked at in the end
    elif what < 0.5:
        subprocess.run(
            ["git", "gc", "-q", "--prune=now"], cwd=lab.main, capture_output=True, check=False, timeout=60
        )
    before = Counter(job.word for job in Queue(project.state).jobs())

    def went_on() -> bool:
        if Queue(project.state).paused():  # the first of a batch all failed
            Queue(project.state).resume()
            ring(bell_in(lab.code / ".git"))
        return Counter(job.word for job in Queue(project.state).jobs()) != before or is_at_rest(project)

    eventually(went_on, within=180)


def assert_true(lab: Lab, project: Project, base: Sha) -> None:
    """Look at history, queue, lanes and contents."""
    run = lab.run
    named: dict[str, int] = {}
    for job in Queue(project.state).jobs():
        assert isinstance(job.state, Ended)
        if job.state.outcome is Outcome.SUCCEEDED:
            (made_by,) = job.state.commits
            assert made_by not in named
            named[made_by] = job.id
        else:
            assert job.state.outcome in (Outcome.FAILED, Outcome.INTERRUPTED, Outcome.UNCHANGED), job.state
            assert job.state.commits == (), job.state
    made = lab.git("rev-list", "--reverse", f"{base}..HEAD", cwd=run).split()
    pointers = lab.git("rev-list", "--grep=Saved-by: wtwatch", f"{base}..HEAD", cwd=run).split()
    assert sorted([*named, *pointers]) == sorted(made)
    assert lab.git("rev-list", "--merges", f"{base}..HEAD", cwd=run) == ""
    for commit, number in named.items():
        record = record_of(run, Sha(commit))
        assert record is not None and record["wtwatch"]["code"] == lab.git(
            "rev-parse", f"{commit}:code", cwd=run
        )
        assert (
            f"job {(number - 1) // (JOBS // BATCHES) * 1000 + (number - 1) % (JOBS // BATCHES)}"
            in lab.git("log", "-1", "--format=%s", commit, cwd=run)
        )
    for top in (run, *(lane.path for lane in notes.known(project) if lane.path.exists())):
        for inside in ("", "inputs/L5b_2p", "code"):
            assert lab.git("status", "--porcelain", cwd=top / inside) == "", (top, inside)
    for repository in (lab.main, lab.inputs):
        assert lab.git("for-each-ref", "refs/wtwatch/L5b/done", "refs/wtwatch/L5b/laid", cwd=repository) == ""
        lab.git("fsck", "--connectivity-only", "--no-dangling", cwd=repository)
    lacking = lab.say("git", "annex", "find", "--not", "--in", "here", "out", cwd=run).out
    assert lacking == ""
