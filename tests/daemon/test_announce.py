"""The user is told by a command of theirs, once a cause, and never in the ticks' way."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.daemon import announce
from wtwatch.daemon.announce import Announcement
from wtwatch.project.config import Project, write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Process, Running, Sha, Trigger, now

A = Sha("a" * 40)
SHOW = "echo \"$WTWATCH_PROJECT|$WTWATCH_REASON|$WTWATCH_BATCH|$WTWATCH_SUCCEEDED|$WTWATCH_FAILED\" >> '{}'"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    state = tmp_path / "state"
    state.mkdir()
    bare = Project("p", state, tmp_path / "main", tmp_path / "run")
    return bare._replace(on_attention="attend", on_batch_end="end")


def told(project: Project, done: Done) -> list[tuple[str, str]]:
    found = announce.of_tick(project, done)
    return [(one.command, one.facts.get("WTWATCH_REASON", "")) for one in found]


def ended(project: Project, outcome: Outcome) -> Job:
    queue = Queue(project.state)
    job = queue.next_job(though_paused=True)
    assert job is not None
    queue.begin(job.id, Running(now(), A, A, "u"))
    queue.end(job.id, Ended(now(), now(), A, outcome, int(outcome is Outcome.FAILED)))
    return queue.job(job.id)


def test_nothing_is_told_where_nothing_was_asked_for(project: Project) -> None:
    quiet = project._replace(on_attention="", on_batch_end="")
    Queue(project.state).add([JobSpec("x")], Trigger.NOW, A)
    job = ended(project, Outcome.FAILED)
    assert told(quiet, Done(waits="blocked", ended=job)) == []


def test_a_cause_is_told_once_and_again_when_it_is_back(project: Project) -> None:
    blocked = Done(waits="a merge is not finished", hint="end it")
    assert told(project, blocked) == [("attend", "a merge is not finished")]
    assert told(project, blocked) == []
    assert told(project, Done(waits="another")) == [("attend", "another")]
    assert told(project, Done()) == []
    assert told(project, blocked) == [("attend", "a merge is not finished")]


def test_somebody_who_works_in_the_tree_is_no_cause(project: Project) -> None:
    busy = (Process(1, "vi", now()),)
    assert told(project, Done(waits="blocked")) != []
    assert told(project, Done(waits="vi works there", busy=busy)) == []
    assert told(project, Done(waits="blocked")) == [], "it was told before"


def test_a_failed_job_and_the_end_of_its_batch_are_told(project: Project) -> None:
    Queue(project.state).add([JobSpec("x", "Plot A"), JobSpec("y")], Trigger.NOW, A)
    first = ended(project, Outcome.FAILED)
    assert told(project, Done(ended=first)) == [("attend", "Job 1 (Plot A) failed (exit 1).")]
    second = ended(project, Outcome.SUCCEEDED)
    (one,) = announce.of_tick(project, Done(ended=second))
    assert one.command == "end"
    assert (one.facts["WTWATCH_BATCH"], one.facts["WTWATCH_SUCCEEDED"], one.facts["WTWATCH_FAILED"]) == (
        "1", "1", "1"
    )  # fmt: skip


def test_a_command_that_fails_or_hangs_is_told_in_the_log_and_ends(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    announce.run(project, Announcement("echo trouble; exit 3", {})).join(20)
    assert "ended with 3: trouble" in caplog.text
    monkeypatch.setattr(announce, "LIMIT", 0.3)
    mark = tmp_path / "pid"
    began = time.monotonic()
    thread = announce.run(project, Announcement(f"sleep 60 & echo $! > '{mark}'; wait", {}))
    assert time.monotonic() - began < 5, "nobody waits for it"
    thread.join(20)
    assert not thread.is_alive() and "was ended" in caplog.text
    eventually(lambda: not _lives(int(mark.read_text())))
    assert threading.active_count() < 50


def test_what_a_command_leaves_running_is_let_run(project: Project, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    thread = announce.run(project, Announcement(f"sleep 5 & echo $! > '{mark}'; exit 0", {}))
    thread.join(3)
    assert not thread.is_alive(), "who waits for the command does not wait for that"
    assert _lives(int(mark.read_text()))
    os.kill(int(mark.read_text()), 9)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_daemon_tells_of_a_failed_job_and_of_the_batch(tmp_path: Path) -> None:
    house, out = House.built(tmp_path / "house"), tmp_path / "told"
    command = SHOW.format(out)
    write_project(house.project._replace(on_attention=command, on_batch_end=command))
    register("p", house.project.state)
    Queue(house.project.state).add([JobSpec("false", "mine", plain=True)], Trigger.NOW, house.head())
    with running_daemon(tmp_path):
        eventually(lambda: out.exists() and len(out.read_text().splitlines()) == 2)
    assert sorted(out.read_text().splitlines()) == ["p|Job 1 (mine) failed (exit 1).|1||", "p||1|0|1"]
