"""`kill -9` at random moments of a job and after it: the queue tells the truth, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.conftest import Say
from tests.lab import Lab, eventually
from tests.proofs.killing import moments, struck, ticked, undisturbed, until
from tests.tally import Kills
from wtwatch.doors.dataset import record_of
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project, read_project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Trigger, Waiting

WORK = TickOptions(start_jobs=True, patience=20.0)
ONLY_LOOK = TickOptions(patience=20.0)

TICK = """\
import sys
from pathlib import Path
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
tick(read_project(Path(sys.argv[1])), TickOptions(patience=20.0))
"""

pytestmark = pytest.mark.usefixtures("warm")

INSIDE = "inputs/L5b_2p"
FAILS = (
    "echo half > declared; echo mine > stray; echo mine > code/stray; echo '# mine' >> code/README.txt; "
    f"echo mine > {INSIDE}/stray; git -C {INSIDE} commit -q --allow-empty -m mine; exit 3"
)


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    lab.git("config", "core.hooksPath", "/dev/null", cwd=lab.code)
    (lab.code / "README.txt").write_text("read me\n")
    lab.git("add", ".", cwd=lab.code)
    lab.git("commit", "-q", "-m", "a file to be edited", cwd=lab.code)
    lab.move_bookmark()
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0)


def queued(project: Project, command: str, outputs: tuple[str, ...], plain: bool = False) -> Job:
    spec = JobSpec(command, outputs=outputs, plain=plain)
    (job,) = Queue(project.state).add([spec], Trigger.NOW, None)  # type: ignore[arg-type]
    return job


def started(project: Project, job: Job) -> Folder:
    found = eventually(lambda: ticked(project, WORK).started)
    assert found is not None and found.id == job.id
    return Folder.of(project.state, job.id, job.attempt)


def ended(project: Project, job: Job) -> Ended:
    """Tick until the job is over and cleared up behind; return how it ended."""

    held_up: list[object] = []

    def is_over() -> bool:
        held_up.append(ticked(project, ONLY_LOOK))
        queue = Queue(project.state)
        return isinstance(queue.job(job.id).state, Ended) and queue.uncleared() is None

    assert until(is_over, 60), str(held_up[-1])[:1500]
    state = Queue(project.state).job(job.id).state
    assert isinstance(state, Ended)
    return state


def assert_clean(lab: Lab, code: str) -> None:
    assert lab.git("status", "--porcelain", "-uall", "--ignore-submodules=none", cwd=lab.run) == ""
    assert lab.git("status", "--porcelain", "-uall", cwd=lab.run_code) == ""
    assert lab.commit("HEAD", lab.run_code) == code
    assert lab.git("symbolic-ref", "--short", "HEAD", cwd=lab.run) == "runs"


def left_by(project: Project, job: Job) -> dict[str, str]:
    place = RunTree.of(project).shelf / "jobs" / f"{job.id}.{job.attempt}"
    files = (file for file in place.rglob("*") if file.is_file())
    return {file.relative_to(place).as_posix(): file.read_text() for file in files}


def edit_is_kept(lab: Lab, project: Project) -> bool:
    refs = lab.git("for-each-ref", "--format=%(refname)", RunTree.of(project).backup_prefix, cwd=lab.code)
    texts = (  # where it was killed while it took the edit away, there is a second one, without the file
        lab.git("cat-file", "blob", f"{ref}:README.txt", cwd=lab.code, code=(0, 128)) for ref in refs.split()
    )
    return any("# mine" in text for text in texts)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_clearing_up_that_is_killed_at_any_moment_is_ended_by_the_next_tick(
    lab: Lab, project: Project, kills: Kills, part: int
) -> None:
    code, config = lab.commit("HEAD", lab.run_code), str(project.state / "config.toml")

    def fresh() -> Job:
        """One that is over and not cleared up behind."""
        job = queued(project, FAILS, ("declared",))
        eventually(started(project, job).result)
        return job

    first, whole = fresh(), undisturbed(TICK, config)
    ended(project, first)
    struck_ones = struck(12, whole, fresh, TICK, lambda _: (config,))
    for job in kills.each("clearing up behind a job at random", struck_ones):
        state = ended(project, job)
        assert (state.outcome, state.exit) == (Outcome.FAILED, 3)
        assert_clean(lab, code)
        left = left_by(project, job)
        stray = {f"{place}stray": "mine\n" for place in ("", "code/", f"{INSIDE}/")}
        assert left.items() >= (stray | {"declared": "half\n"}).items()
        assert edit_is_kept(lab, project), "the edit in code"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_job_killed_at_any_moment_is_told_as_it_ended(
    lab: Lab, project: Project, kills: Kills, part: int
) -> None:
    """From its start over the command and DataLad's commit to the outcome; a success has its commit."""
    code, numbers = lab.commit("HEAD", lab.run_code), count()
    seen: set[Outcome] = set()

    def killed(after: float | None) -> float:
        """Kill a job so long after a tick began to start it, if at all. Return how long it took, 0 if hit."""
        number = next(numbers)
        job = queued(project, f"sleep 0.1; echo {part}.{number} > out.txt", ("out.txt",))
        base = lab.commit("HEAD", lab.run)
        folder = Folder.of(project.state, job.id, job.attempt)
        began = time.monotonic()
        with ThreadPoolExecutor(1) as beside:  # the tick that starts it is at work for a good part of it
            blow = None if after is None else beside.submit(struck_down, folder, began + after)
            eventually(lambda: is_started(project, job))
        if blow is None:
            eventually(folder.result)
        took, hit = time.monotonic() - began, blow is not None and blow.result()
        with kills.survived("a job at random", hit):
            state = ended(project, job)
            seen.add(state.outcome)
            assert_clean(lab, code)
            head = lab.commit("HEAD", lab.run)
            if state.outcome is Outcome.SUCCEEDED:
                assert state.commits == (head,) and lab.commit("HEAD^", lab.run) == base
                record = record_of(lab.run, head)
                assert record is not None and record["wtwatch"]["code"] == code
                assert (lab.run / "out.txt").read_text() == f"{part}.{number}\n"
            else:
                assert state.outcome is Outcome.INTERRUPTED and head == base
        return 0 if hit else took

    whole = killed(None)
    for moment in moments(13):
        for tried in range(5):  # where the machine is quicker than it was, sooner
            took = killed(moment * whole / (1 + tried))
            if not took:
                break
            whole = min(whole, took)
        else:
            pytest.fail("the work was over before its moment, five times")
    assert seen == {Outcome.SUCCEEDED, Outcome.INTERRUPTED}


def is_started(project: Project, job: Job) -> bool:
    """Tick, and return whether the job waits no more; one that was struck down is taken up by the next."""
    found = ticked(project, WORK).started
    assert found is None or found.id == job.id
    return not isinstance(Queue(project.state).job(job.id).state, Waiting)


def struck_down(folder: Folder, at: float) -> bool:
    """Kill an attempt at a time of the monotonic clock, or as soon as it began; return if it was there."""
    process = eventually(folder.started)
    assert process is not None
    time.sleep(max(0.0, at - time.monotonic()))
    return end_group(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["echo {} > out.txt", "echo {} > out.txt; exit 3"])
def test_a_job_killed_after_each_of_its_steps_is_told_as_it_ended(
    lab: Lab, project: Project, kills: Kills, command: str
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    for step in ("started", "before", "command", "after", "verified", "outcome"):
        job = queued(project, command.format(step), ("out.txt",))
        base = lab.commit("HEAD", lab.run)
        folder = started(project, job)
        process = folder.started()
        assert process is not None
        eventually((folder.path / step).exists, within=60)
        with kills.survived("a job after each of its steps", end_group(process.pid)):
            state = ended(project, job)
            assert_clean(lab, code)
            succeeded = lab.commit("HEAD", lab.run) != base
            assert (state.outcome is Outcome.SUCCEEDED) == succeeded
            if step in ("command", "after", "verified", "outcome"):
                assert state.exit == (3 if "exit" in command else 0)
                assert succeeded == ("exit" not in command)


def end_group(pid: int) -> bool:
    """Return whether there was somebody to kill."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it was done
        return False
    return True
