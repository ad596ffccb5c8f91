"""One suite for all executors: what a job comes to does not depend on where it runs."""

from __future__ import annotations

import os
from typing import cast

import pytest

from tests.job.bench import FIGURE_OF_LSD, Bench, over, uuid
from tests.lab import eventually
from tests.slurm.cluster import NODE, PATIENCE, Cluster
from wtwatch.doors.processes import bearing
from wtwatch.job import lifecycle
from wtwatch.job.attempt import MARK, Folder
from wtwatch.job.executor import Handle, Life
from wtwatch.words import executors
from wtwatch.words.errors import Busy
from wtwatch.words.model import Ended, Job, Outcome

pytestmark = pytest.mark.slow


@pytest.fixture(params=["here", "slurm"])
def place(request: pytest.FixtureRequest, bench: Bench) -> Bench:
    """A bench whose jobs run on this host, or on the node of a cluster."""
    if request.param == "slurm":
        return cast("Bench", request.getfixturevalue("far"))
    return bench


def host_of(bench: Bench) -> str:
    return NODE if bench.project.executor else os.uname().nodename


def handle_of(bench: Bench, job: Job) -> Handle:
    return Handle(uuid(job), bench.folder(job))


def seen(bench: Bench, job: Job) -> Life:
    executor = lifecycle._executor(bench.place, bench.folder(job))
    return executor.poll([handle_of(bench, job)])[uuid(job)].life


def marked(job: Job) -> list[int]:
    return bearing(MARK, uuid(job))


def stopped(bench: Bench, job: Job) -> Job:
    """Ask a job to end until it did, as ticks do."""

    def asked() -> lifecycle.NotBegun | Ended | None:
        ended = lifecycle.end_of(bench.place, job, True)
        if ended is None:
            lifecycle.stop(bench.place, job)
        return ended

    ended = eventually(asked, within=PATIENCE)
    assert isinstance(ended, Ended), ended
    return job._replace(state=ended)


def test_a_job_that_succeeds_is_one_commit(place: Bench) -> None:
    job = place.do("echo $SOME_WHERE; uname -n > out.txt", outputs=("out.txt",))
    assert over(job).outcome is Outcome.SUCCEEDED, place.log(job)
    assert over(job).commits == (place.head(),)
    assert (place.tree / "out.txt").read_text() == f"{host_of(place)}\n"
    assert place.folder(job).host() == host_of(place)
    assert place.dirt() == ""


def test_a_job_that_fails_has_its_exit_code(place: Bench) -> None:
    job = place.do("exit 3")
    assert (over(job).outcome, over(job).exit) == (Outcome.FAILED, 3)
    assert over(job).commits == ()


def test_a_job_that_is_cancelled_ends_with_all_that_it_started(place: Bench) -> None:
    gate = place.lab.gate()
    running = place.start(place.job(place.gated(gate)))
    eventually(gate.reached, within=PATIENCE)
    assert marked(running)
    job = stopped(place, running)
    assert over(job).outcome is Outcome.CANCELLED
    eventually(lambda: not marked(running), within=PATIENCE)


def test_a_job_that_is_cancelled_before_it_begins_does_not_begin(slurm: Cluster, far: Bench) -> None:
    """On this host a job begins at once."""
    slurm.say("scontrol", "update", "partitionname=test", "state=down")
    running = far.start(far.job("echo 1 > one"))
    eventually(lambda: seen(far, running) is Life.QUEUED, within=PATIENCE)
    job = stopped(far, running)
    slurm.say("scontrol", "update", "partitionname=test", "state=up")
    assert over(job).outcome is Outcome.CANCELLED
    assert not (far.tree / "one").exists()


def test_a_job_whose_process_is_killed_is_interrupted_and_nothing_of_it_goes_on(place: Bench) -> None:
    gate = place.lab.gate()
    running = place.start(place.job(f"kill -9 $PPID; {place.gated(gate)}; echo late > late"))
    job = place.wait(running)
    assert over(job).outcome is Outcome.INTERRUPTED, place.log(job)
    assert marked(running) == []
    gate.open()
    assert not (place.tree / "late").exists()


def test_a_job_that_leaves_children_behind_is_over_when_its_command_is(place: Bench) -> None:
    gate = place.lab.gate()
    command = f"(setsid sh -c {place.gated(gate)!r} > /dev/null 2>&1 &) ; echo 1 > one"
    running = place.start(place.job(command, outputs=("one",)))
    job = place.wait(running)
    assert over(job).outcome is Outcome.SUCCEEDED, place.log(job)
    gate.open()


def test_an_attempt_that_is_submitted_twice_runs_once(place: Bench) -> None:
    gate = place.lab.gate()
    job = place.job(f"{place.gated(gate)}; echo run >> runs.txt", outputs=("runs.txt",))
    running = place.start(job)
    if place.project.executor:
        assert uuid(place.launch(job, place.demands(job))) == uuid(running)
    else:
        with pytest.raises(Busy):  # its process holds the tree, which no process of another host can
            place.launch(job, place.demands(job), wait=0)
    gate.open()
    assert over(place.wait(running)).outcome is Outcome.SUCCEEDED
    assert (place.tree / "runs.txt").read_text() == "run\n"


def test_of_an_attempt_that_nobody_ever_started_no_end_is_told_at_once(place: Bench) -> None:
    folder = Folder.of(place.project.state, 99, 1)
    executor = lifecycle.executor_of(executors.of(place.project.executor))
    found = executor.poll([Handle("0" * 32, folder)])["0" * 32]
    assert found.life is (Life.UNKNOWN if place.project.executor else Life.GONE)


def test_a_tree_that_is_not_as_it_has_to_be_is_no_failure_of_the_job(place: Bench) -> None:
    job = place.job("echo 1 > one")
    demanded = place.demands(job)
    (place.tree / "dirt").write_text("x")
    ended = place.end(place.launch(job, demanded))
    assert isinstance(ended, lifecycle.NotBegun)
    assert "dirt" in ended.reason


def test_what_a_job_declares_is_held_on_the_host_where_it_runs(place: Bench) -> None:
    gate = place.lab.gate()
    table = "04_dataframes/240226I/LSD/F.pkl"
    running = place.start(place.job(place.gated(gate), inputs=(table,), outputs=(FIGURE_OF_LSD,)))
    eventually(gate.reached, within=PATIENCE)
    said = place.lab.say("datalad", "drop", "--reckless=availability", table, code=1)
    assert "locked" in said.out + said.err
    gate.open()
    place.wait(running)
