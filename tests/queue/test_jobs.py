"""The durable queue: what was queued comes back as it was, whoever looks or writes meanwhile."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.queue.samples import A, B, C, commands, ended, run_next, running, specs
from wtwatch.doors.beside import Beside
from wtwatch.queue import database
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, JobSpec, Outcome, Trigger, Waiting, now


def test_looking_at_a_queue_that_was_never_used_makes_nothing(queue: Queue) -> None:
    assert queue.jobs() == []
    assert queue.next_job() is None
    assert queue.under_way() is None
    assert queue.last_sync() is None
    assert not queue.pending(A)
    assert queue.counts()["waiting"] == 0
    with pytest.raises(UsageError, match="no job 7"):
        queue.cancel([7])
    assert not queue.file.parent.exists()


def test_a_job_comes_back_as_it_was_queued(queue: Queue) -> None:
    spec = JobSpec("run 'é \udcff' {inputs}", "Größe", ("-a b", "ü*"), ("o'",), rerun_of=C)
    (job,) = queue.add([spec], Trigger.NOW, A)
    assert Queue(queue.file.parent).job(str(job.id)) == job
    assert (job.spec, job.state, job.attempt, job.word) == (spec, Waiting(), 1, "waiting")


def test_how_a_job_ran_and_ended_comes_back_to_the_microsecond(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    start = running()
    queue.begin(job.id, start)
    assert queue.job(job.id).state == start
    assert queue.running() == queue.job(job.id)
    end = Ended(start.started, now(), A, Outcome.FAILED, 3, (B, C), "it said \udcff")
    queue.end(job.id, end)
    found = queue.job(job.id).state
    assert isinstance(found, Ended)
    assert found.detail == "it said \\udcff"
    assert (found.started, found.ended, found.code_sha, found.exit, found.commits) == (
        end.started,
        end.ended,
        A,
        3,
        (B, C),
    )


def test_what_is_known_of_an_attempt_is_not_undone_by_who_heard_of_its_start_late(queue: Queue) -> None:
    """Two ticks may look at a start that was not told: the slower one when the job is over."""
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    start = running()
    queue.begin(job.id, start)
    queue.end(job.id, Ended(start.started, now(), A, Outcome.FAILED, 3))
    queue.begin(job.id, start)
    assert queue.running() is None
    assert isinstance(state := queue.job(job.id).state, Ended) and state.exit == 3


def test_what_is_asked_at_one_moment_belongs_together(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.0)
    with queue.at_one_moment():
        assert queue.jobs() == []  # of a queue that was never used
    queue.add(specs("one"), Trigger.NOW, A)
    with queue.at_one_moment():
        assert queue.counts()["waiting"] == 1
        with pytest.raises(WtwatchError, match="locked"):
            Queue(tmp_path / "state").add(specs("two"), Trigger.NOW, A)
        assert len(queue.jobs()) == 1 and not queue.paused()
    queue.add(specs("two"), Trigger.NOW, A)
    assert queue.counts()["waiting"] == 2


def test_what_is_kept_open_is_opened_once_and_sees_what_others_change(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, opened = Queue(tmp_path / "state"), list[object]()
    connect = database._connect

    def counted(file: Path, mode: str) -> sqlite3.Connection:
        opened.append(file)
        return connect(file, mode)

    monkeypatch.setattr(database, "_connect", counted)
    with queue.kept_open():
        queue.add(specs("one"), Trigger.NOW, A)
    assert len(opened) == 1, "to make it"
    with queue.kept_open(), queue.kept_open():
        assert queue.counts()["waiting"] == 1 and queue.next_job()
        other.add(specs("two"), Trigger.NOW, A)  # which no look holds up
        assert queue.counts()["waiting"] == 2
        queue.pause()
        assert other.paused() and len(opened) == 4
        with queue.at_one_moment():
            assert queue.paused() and len(opened) == 5
        beside = Beside(queue.paused)
        assert beside.answer() and len(opened) == 6, "a thread has its own"
        with pytest.raises(ZeroDivisionError), queue._changing() as db:
            db.execute("DELETE FROM jobs")
            raise ZeroDivisionError
        assert queue.counts()["waiting"] == 2, "all or nothing"
    assert not other.counts()["running"] and len(opened) == 7


def test_an_end_told_twice_counts_once(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.begin(job.id, running())
    queue.end(job.id, ended())
    queue.end(job.id, ended(Outcome.FAILED))
    assert queue.job(job.id).word == "succeeded"


def test_counts_have_the_keys_of_the_contract(queue: Queue) -> None:
    queue.add(specs(*"abcdefg"), Trigger.NOW, A)
    for outcome in Outcome:
        run_next(queue, outcome)
    assert queue.counts() == {
        "paused": False,
        "waiting": 2,
        "running": 0,
        "succeeded": 1,
        "unchanged": 1,
        "failed": 1,
        "cancelled": 1,
        "interrupted": 1,
        "held": 0,
    }


def _add_ten(state: Path, name: str) -> None:
    for number in range(10):
        Queue(state).add(specs(f"{name} {number}"), Trigger.NOW, A)


def test_processes_and_threads_may_use_the_queue_at_the_same_time(queue: Queue) -> None:
    state = queue.file.parent
    context = multiprocessing.get_context("spawn")
    starts: list[Callable[..., multiprocessing.process.BaseProcess | threading.Thread]] = [
        context.Process,
        context.Process,
        threading.Thread,
        threading.Thread,
    ]
    workers = [start(target=_add_ten, args=(state, f"w{number}")) for number, start in enumerate(starts)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    jobs = queue.jobs()
    assert len(jobs) == 40
    for number in range(4):
        mine = [command for command in commands(jobs) if command.startswith(f"w{number} ")]
        assert mine == [f"w{number} {each}" for each in range(10)]
