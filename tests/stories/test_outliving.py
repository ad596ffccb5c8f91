"""Jobs outlive their daemon, and fail without taking the batch along."""

from __future__ import annotations

import json

import psutil
import pytest

from tests.at_work import has_ended
from tests.building import SUBJECTS
from tests.lab import Lab, eventually
from tests.stories.findings import (
    assert_results_name_what_ran,
    ends,
    figure,
    follows,
    is_clean,
    queue_plain,
    set_settings,
    states,
)

pytestmark = pytest.mark.slow

FIRST = SUBJECTS[0]


def process_of(lab: Lab, job: int) -> psutil.Process:
    """Return the process of a job's first attempt."""
    folder = lab.main / ".git" / "wtwatch" / "L5b" / "jobs" / f"{job}.1"
    return psutil.Process(json.loads((folder / "started").read_text())["pid"])


@pytest.mark.slow
def test_a_job_outlives_a_stopped_and_a_killed_daemon_and_runs_once(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        lab.queue_plots("--now", subjects=[FIRST], drugs=["LSD", "Saline"], options=gate.words)
        eventually(gate.reached)
        job = process_of(lab, 1)
    # that was a SIGTERM, which it obeyed with exit code 0
    assert not has_ended(job)
    lab.wtwatch("status", code=1)
    lab.change_code("v2", "a second version")
    new = lab.move_bookmark()

    with lab.daemon() as daemon:
        lab.wtwatch("status", code=0)
        assert lab.status()["queue"]["running"] == 1
        daemon.kill()
        daemon.wait()
    assert not has_ended(job)
    gate.open()
    eventually(lambda: has_ended(job))

    with lab.daemon():
        lab.wtwatch("queue", "wait", code=0)
        follows(lab, new)
    assert [(job["state"], job["attempt"]) for job in lab.jobs()] == [("succeeded", 1)] * 2
    found = assert_results_name_what_ran(lab)
    assert [result.ran_on for result in found] == [old, old]
    assert is_clean(lab, lab.run)


@pytest.mark.slow
def test_a_job_that_a_dead_daemon_started_without_telling_is_taken_up(lab: Lab) -> None:
    """The daemon dies between starting a job and telling the queue; meanwhile the bookmark moves."""
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon() as daemon:
        queue_plain(lab, "--now", options=f"--fail-on LSD {gate.words}")
        lab.queue_plots("--now", subjects=[FIRST], drugs=["LSD"])
        eventually(gate.reached)
        daemon.kill()
        daemon.wait()
    old = lab.commit("runs")
    forget_that_it_was_told(lab)
    lab.change_code("v2", "a second version")
    new = lab.move_bookmark()
    gate.open()
    with lab.daemon():
        lab.wtwatch("queue", "wait", "1-2", code=1)
        assert states(lab) == ["failed", "succeeded"]
        assert [job["code"] for job in lab.jobs()] == [old, new]
    [result] = assert_results_name_what_ran(lab)
    assert result.ran_on == new


def forget_that_it_was_told(lab: Lab) -> None:
    """Put the queue back to where it was before it was told that job 1 runs."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(lab.main / ".git" / "wtwatch" / "L5b" / "state.db")) as db, db:
        db.execute("UPDATE jobs SET state = 'waiting', started = NULL, code = NULL, base = NULL, uuid = NULL")
        db.execute("UPDATE batches SET code = NULL")


def test_a_job_that_is_killed_is_reported_and_the_batch_goes_on(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        queue_plain(lab, "--now", options=gate.words)
        drawn = queue_plain(lab, "--now", name="next")
        eventually(gate.reached)
        process_of(lab, 1).kill()
        lab.wtwatch("queue", "wait", "1-2", code=1)
        assert states(lab) == ["interrupted", "succeeded"]
        assert drawn.exists()


def test_a_running_job_is_cancelled_at_once_with_all_its_processes(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        lab.queue_plots("--now", subjects=[FIRST], drugs=["LSD"], options=gate.words)
        eventually(gate.reached)
        job = process_of(lab, 1)
        family = [job, *job.children(recursive=True)]
        assert len(family) > 1
        lab.wtwatch("queue", "cancel", "1")
        ends(lab, "cancelled")
        eventually(lambda: all(has_ended(process) for process in family))  # its own has the last word
        lab.wtwatch("queue", "wait", code=0)
        lab.wtwatch("status", code=0)
    assert is_clean(lab, lab.run)


@pytest.mark.slow
def test_a_failed_job_stops_no_batch_and_works_after_its_repair(lab: Lab) -> None:
    lab.wtwatch("init")
    with lab.daemon():
        lab.queue_plots("--now", subjects=[FIRST], options="--fail-on LSD")
        lab.wtwatch("queue", "wait", "--batch", "1", code=1)
        assert states(lab) == ["succeeded", "failed", "succeeded"]
        assert is_clean(lab, lab.run)
        half = lab.root / ".L5b-runs.wtwatch" / "jobs" / "2.1" / "05_visualization" / FIRST / "LSD" / "F.svg"
        assert half.read_text().startswith("<svg")
        shown = lab.wtwatch("queue", "show", "2").out
        assert "failed (exit 7)" in shown
        assert str(half.parents[3]) in shown
        assert "cannot plot LSD" in lab.wtwatch("queue", "logs", "2").out
        lab.wtwatch("status", code=1)
        lab.wtwatch("ack", "2")
        lab.wtwatch("status", code=0)

        source = lab.code / "src" / "process2p" / "plot.py"
        source.write_text(source.read_text().replace("if asked.fail_on and", "if False and"))
        repaired = lab.change_code("v2", "plot LSD too")
        lab.wtwatch("release")
        lab.wtwatch("queue", "retry", "2")
        lab.wtwatch("queue", "wait", code=0)
        assert states(lab) == ["succeeded"] * 3
    assert "<!-- v2 -->" in figure(lab, FIRST, "LSD")
    found = assert_results_name_what_ran(lab)
    assert [result.ran_on == repaired for result in found] == [False, False, True]
    assert half.exists()


def test_a_run_tree_that_is_gone_is_said_and_taken_up_when_it_is_back(lab: Lab) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0)
    with lab.daemon():
        queue_plain(lab, "--on-move")
        lab.run.rename(lab.root / "unmounted")
        lab.change_code("v2", "a second version")
        new = lab.move_bookmark()
        assert lab.status()["freshness"] == "missing"
        lab.wtwatch("status", code=1)
        assert "is gone" in lab.wtwatch("queue", "wait", code=1).err
        (lab.root / "unmounted").rename(lab.run)
        follows(lab, new)
        eventually(lambda: lab.wtwatch("status", code=(0, 1)).code == 0)
        lab.wtwatch("queue", "wait", code=0)
