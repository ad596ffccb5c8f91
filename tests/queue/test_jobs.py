"""The durable queue: what is due, in which order, on which code; and that nothing of it gets lost."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wtwatch.queue import database, jobs
from wtwatch.queue.database import MIGRATIONS
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, Trigger, Waiting, now

A, B, C = (Sha(letter * 40) for letter in "abc")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "state")


def specs(*commands: str) -> list[JobSpec]:
    return [JobSpec(command) for command in commands]


def running(code: Sha = A) -> Running:
    return Running(now(), code, B, "uuid")


def ended(outcome: Outcome = Outcome.SUCCEEDED, code: Sha = A) -> Ended:
    return Ended(now(), now(), code, outcome, 0, (C,))


def run_next(queue: Queue, outcome: Outcome = Outcome.SUCCEEDED, code: Sha = A) -> Job:
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, running(code))
    queue.end(job.id, ended(outcome, code))
    queue.note_cleared()
    return job


def always(_old: Sha, _new: Sha) -> bool:
    return True


def never(_old: Sha, _new: Sha) -> bool:
    return False


def commands(jobs: list[Job]) -> list[str]:
    return [job.spec.command for job in jobs]


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


def test_the_file_is_for_the_user_alone_and_has_a_rollback_journal(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    assert stat.S_IMODE(queue.file.stat().st_mode) == 0o600
    with closing(sqlite3.connect(queue.file)) as db, db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


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
    assert (found.started, found.ended, found.code, found.exit, found.commits) == (
        end.started,
        end.ended,
        A,
        3,
        (B, C),
    )


def test_batches_run_in_order_of_becoming_due_and_jobs_in_order_within(queue: Queue) -> None:
    queue.add(specs("later 1", "later 2"), Trigger.ON_MOVE, A)
    queue.add(specs("now 1", "now 2"), Trigger.NOW, A)
    assert commands([run_next(queue)]) == ["now 1"]
    queue.fire(B, always)
    queue.add(specs("last"), Trigger.NOW, B)
    assert commands([run_next(queue) for _ in range(4)]) == ["now 2", "later 1", "later 2", "last"]
    assert queue.next_job() is None


def test_a_failed_job_does_not_stop_its_batch(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    run_next(queue, Outcome.FAILED)
    assert commands([run_next(queue)]) == ["two"]


def test_no_second_job_is_offered_while_one_runs(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.begin(first.id, running())
    assert queue.next_job() is None
    queue.end(first.id, ended())
    assert queue.next_job() == second


def test_a_batch_takes_its_code_at_its_first_job_and_keeps_it_to_its_end(queue: Queue) -> None:
    jobs = queue.add(specs("one", "two"), Trigger.NOW, A)
    batch = jobs[0].batch
    assert (queue.under_way(), queue.batch_code(batch)) == (None, None)
    queue.begin(jobs[0].id, running(B))
    queue.end(jobs[0].id, ended(code=B))
    assert (queue.under_way(), queue.batch_code(batch)) == (batch, B)
    with pytest.raises(WtwatchError, match="its batch runs on b"):
        queue.begin(jobs[1].id, running(C))
    queue.pause()
    assert queue.batch_code(batch) == B
    queue.resume()
    run_next(queue, code=B)
    assert (queue.under_way(), queue.batch_code(batch)) == (None, B)


def test_a_batch_for_the_next_move_waits_until_the_tip_is_another(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.ON_MOVE, A)
    assert queue.wait_for_move() == {job.batch}
    assert not queue.pending(A)
    assert queue.fire(A, always) == []
    assert queue.next_job() is None
    assert queue.pending(B)
    assert queue.fire(B, always) == [job.batch]
    assert queue.next_job() == job
    assert not queue.pending(C), "it is due once, not at every move"
    assert queue.wait_for_move() == set()


def test_a_move_that_changes_nothing_for_the_jobs_starts_none_and_asks_no_more(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    queue.add_standing(specs("two"), A)
    assert queue.fire(B, never) == []
    assert not queue.pending(B)
    assert queue.next_job() is None
    assert len(queue.fire(C, always)) == 2


def test_standing_jobs_are_a_new_batch_at_every_move(queue: Queue) -> None:
    standing = queue.add_standing(specs("one", "two"), A)
    assert queue.standing() == [standing]
    assert queue.counts()["waiting"] == 0
    (first,) = queue.fire(B, always)
    assert commands(queue.jobs(first)) == ["one", "two"]
    assert queue.fire(B, always) == []
    run_next(queue, code=B)
    run_next(queue, code=B)
    (second,) = queue.fire(C, always)
    assert commands(queue.jobs(second)) == ["one", "two"]
    assert queue.standing()[0].base == C


def test_an_unstarted_standing_batch_is_superseded_and_never_doubled(queue: Queue) -> None:
    queue.add_standing(specs("one", "two"), A)
    (first,) = queue.fire(B, always)
    (second,) = queue.fire(C, always)
    states = [job.state for job in queue.jobs(first)]
    assert all(isinstance(state, Ended) and state.outcome is Outcome.CANCELLED for state in states)
    assert all(
        isinstance(state, Ended) and state.detail == f"superseded by batch {second}" for state in states
    )
    job = queue.next_job()
    assert job is not None
    assert job.batch == second


def test_of_superseded_batches_only_the_newest_stays(queue: Queue) -> None:
    """However often the bookmark moves during a long batch, the queue does not grow."""
    [long, _] = queue.add(specs("long", "longer"), Trigger.NOW, A)
    queue.begin(long.id, running(A))
    queue.add_standing(specs("one", "two"), A)
    fired = [queue.fire(tip, always) for tip in (B, C) * 10]
    (last,), (newest,) = fired[-2:]
    assert [(job.batch, job.word) for job in queue.jobs()][2:] == [
        (last, "cancelled"),
        (last, "cancelled"),
        (newest, "waiting"),
        (newest, "waiting"),
    ]
    with closing(sqlite3.connect(queue.file)) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (3,)


def test_a_superseded_job_that_was_taken_back_or_tried_again_by_hand_stays(queue: Queue) -> None:
    queue.add_standing(specs("one", "two", "three"), A)
    (first,) = queue.fire(B, always)
    by_hand, again, _ = queue.jobs(first)
    queue.cancel([by_hand.id])
    queue.fire(C, always)
    queue.retry([again.id])
    for tip in (B, C, B):
        queue.fire(tip, always)
    assert queue.job(by_hand.id).word == "cancelled"
    assert queue.job(again.id).word == "waiting"


def test_the_queue_is_free_for_others_while_git_is_asked_what_a_move_changes(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.0)
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    others: list[Job] = []

    def slowly(_old: Sha, _new: Sha) -> bool:
        others.extend(Queue(queue.file.parent).add(specs("two"), Trigger.ON_MOVE, C))
        return True

    (fired,) = queue.fire(B, slowly)
    assert commands(queue.jobs(fired)) == ["one"]
    assert queue.pending(B), "what was queued meanwhile is not passed over"
    assert queue.fire(B, always) == [others[0].batch]


def test_a_standing_batch_that_has_started_runs_to_its_end_beside_the_next(queue: Queue) -> None:
    queue.add_standing(specs("one", "two"), A)
    (first,) = queue.fire(B, always)
    run_next(queue, code=B)
    (second,) = queue.fire(C, always)
    assert [run_next(queue, code=B).batch] == [first]
    assert [run_next(queue, code=C).batch for _ in range(2)] == [second, second]


def test_a_cancelled_waiting_job_never_runs(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    assert queue.cancel([first.id]) == []
    assert queue.job(first.id).word == "cancelled"
    assert queue.next_job() == second
    with pytest.raises(UsageError, match="over already"):
        queue.cancel([first.id])


def test_cancelling_a_running_job_asks_it_to_stop_and_goes_on_calling_it_running(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.begin(job.id, running())
    (asked,) = queue.cancel([str(job.id)])
    assert (asked.id, asked.word, asked.cancel_requested) == (job.id, "running", True)
    assert queue.cancel_requested(job.id)


def test_a_job_cancelled_in_the_instant_of_its_start_is_marked_to_be_stopped(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.cancel([job.id])
    queue.begin(job.id, running())
    assert queue.job(job.id).cancel_requested


def test_cancel_does_all_or_nothing(queue: Queue) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    with pytest.raises(UsageError, match="no job 99"):
        queue.cancel([first.id, 99, second.id])
    assert [job.word for job in queue.jobs()] == ["waiting", "waiting"]


@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_standing_jobs_can_be_taken_back(queue: Queue, verb: str) -> None:
    queue.add_standing(specs("one"), A)
    getattr(queue, verb)(["s1"])
    assert queue.standing() == []
    assert queue.fire(B, always) == []
    with pytest.raises(UsageError, match="no standing jobs s1"):
        getattr(queue, verb)(["s1"])


def test_a_retried_job_keeps_its_id_and_counts_its_attempts(queue: Queue) -> None:
    queue.add(specs("one", "two"), Trigger.NOW, A)
    failed = run_next(queue, Outcome.FAILED)
    queue.acknowledge([failed.id])
    (again,) = queue.retry([failed.id])
    assert (again.id, again.attempt, again.state, again.acknowledged) == (failed.id, 2, Waiting(), False)
    assert again.batch != failed.batch
    assert commands([run_next(queue)]) == ["two"], "the batch under way comes first"
    assert run_next(queue, code=B).id == failed.id, "a retry may run on other code than its first attempt"
    (before,) = queue.attempts(failed.id)
    assert (before.attempt, before.batch, before.word) == (1, failed.batch, "failed")


@pytest.mark.parametrize("verb", ["retry", "remove"])
def test_a_job_is_not_taken_away_from_who_clears_up_behind_it(queue: Queue, verb: str) -> None:
    first, second = queue.add(specs("one", "two"), Trigger.NOW, A)
    queue.begin(first.id, running())
    queue.end(first.id, ended(Outcome.FAILED))
    with pytest.raises(WtwatchError, match="not cleared up"):
        getattr(queue, verb)([first.id])
    assert queue.job(first.id).word == "failed"
    queue.remove([second.id])
    queue.note_cleared()
    getattr(queue, verb)([first.id])


def test_a_job_that_has_not_ended_cannot_be_retried(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    with pytest.raises(UsageError, match="waiting"):
        queue.retry([job.id])


def test_a_removed_job_is_gone_and_its_id_is_not_given_out_again(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.remove([job.id])
    assert queue.jobs() == []
    (other,) = queue.add(specs("two"), Trigger.NOW, A)
    assert other.id > job.id
    queue.begin(other.id, running())
    with pytest.raises(UsageError, match="running"):
        queue.remove([other.id])


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


def test_a_paused_queue_offers_no_job(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    queue.pause()
    assert queue.paused()
    assert queue.next_job() is None
    queue.resume()
    assert queue.next_job() is not None


def test_an_end_told_twice_counts_once(queue: Queue) -> None:
    (job,) = queue.add(specs("one"), Trigger.NOW, A)
    queue.begin(job.id, running())
    queue.end(job.id, ended())
    queue.end(job.id, ended(Outcome.FAILED))
    assert queue.job(job.id).word == "succeeded"


def test_an_unknown_job_is_named_with_the_way_to_find_the_right_one(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    for job in (99, "99", "x", "-1", "²", "9" * 18, "9" * 24, 10**24, "9" * 9000, "s" + "9" * 24):
        for ask in (
            queue.job,
            queue.attempts,
            lambda job: queue.cancel([job]),
            lambda job: queue.retry([job]),
        ):
            with pytest.raises(UsageError) as caught:
                ask(job)
            assert "wtwatch queue list" in str(caught.value.hint)


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


def test_failed_and_interrupted_jobs_ask_for_attention_until_acknowledged(queue: Queue) -> None:
    queue.add(specs("one", "two", "three"), Trigger.NOW, A)
    failed = run_next(queue, Outcome.FAILED)
    run_next(queue, Outcome.INTERRUPTED)
    run_next(queue)
    assert queue.unseen() == 2
    queue.acknowledge([failed.id])
    assert queue.unseen() == 1
    queue.acknowledge()
    assert queue.unseen() == 0


def test_a_file_of_a_newer_wtwatch_is_left_alone(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    with closing(sqlite3.connect(queue.file)) as db, db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(WtwatchError, match="newer wtwatch"):
        queue.jobs()


def test_a_damaged_file_is_named_and_not_overwritten(queue: Queue) -> None:
    queue.file.parent.mkdir()
    queue.file.write_bytes(b"no database " * 1000)
    for attempt in (queue.jobs, queue.pause):
        with pytest.raises(WtwatchError, match="damaged"):
            attempt()
    assert queue.file.read_bytes().startswith(b"no database")


def test_a_change_that_is_cut_off_leaves_nothing_half_done(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add(specs("one"), Trigger.ON_MOVE, A)
    queue.add_standing(specs("two"), A)

    def breaks(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "_renew", breaks)
    with pytest.raises(KeyboardInterrupt):
        queue.fire(B, always)
    assert queue.next_job() is None
    assert queue.pending(B)


def test_a_process_killed_while_it_writes_leaves_the_last_whole_state(queue: Queue) -> None:
    queue.add(specs("before"), Trigger.NOW, A)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from wtwatch.queue.database import changing\n"
            "with changing(Path(sys.argv[1])) as db:\n"
            "    db.execute('DELETE FROM jobs')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
            str(queue.file),
        ],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -9
    assert commands(queue.jobs()) == ["before"]
    queue.add(specs("after"), Trigger.NOW, A)
    assert commands(queue.jobs()) == ["before", "after"]


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


class QueueMachine(RuleBasedStateMachine):
    """Do anything with a queue, in any order; what the promises say must hold at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.queue = Queue(Path(self.folder.name))
        self.tip = A
        self.code_of: dict[int, Sha] = {}
        self.started: list[tuple[int, int]] = []  # batch and job, in order of start
        self.removed: set[int] = set()
        self.stood = 0  # how often jobs became standing ones

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(number=st.integers(1, 3), trigger=st.sampled_from([Trigger.NOW, Trigger.ON_MOVE]))
    def add(self, number: int, trigger: Trigger) -> None:
        self.queue.add(specs(*["x"] * number), trigger, self.tip)

    @rule()
    def add_standing(self) -> None:
        self.queue.add_standing(specs("s", "t"), self.tip)
        self.stood += 1

    @rule(tip=st.sampled_from([A, B, C]), concerns=st.sampled_from([always, never]))
    def move(self, tip: Sha, concerns: Callable[[Sha, Sha], bool]) -> None:
        if self.queue.under_way() is None:
            self.tip = tip
            before = commands(self.queue.jobs())
            fired = self.queue.fire(tip, concerns)
            assert not self.queue.pending(tip)
            if concerns is never:
                assert not fired and commands(self.queue.jobs()) == before

    @rule()
    def pause_or_resume(self) -> None:
        if self.queue.paused():
            self.queue.resume()
        else:
            self.queue.pause()

    @rule()
    def start(self) -> None:
        job = self.queue.next_job()
        if job is None:
            due = self.queue.next_job(though_paused=True)
            assert self.queue.paused() or self.queue.running() or due is None, "what is due starts"
            return
        assert not self.queue.paused() and job.id not in self.removed
        under_way = self.queue.under_way()
        assert under_way in (None, job.batch), "the batch under way comes first"
        code = self.queue.batch_code(job.batch) or self.tip
        assert self.code_of.setdefault(job.batch, code) == code, "one batch, one code"
        self.queue.begin(job.id, running(code))
        self.started.append((job.batch, job.id))

    @precondition(lambda self: self.queue.running())
    @rule(outcome=st.sampled_from(list(Outcome)))
    def finish(self, outcome: Outcome) -> None:
        job = self.queue.running()
        assert job is not None
        self.queue.end(job.id, ended(outcome, self.code_of[job.batch]))
        self.queue.note_cleared()

    @rule(data=st.data())
    def cancel_or_retry(self, data: st.DataObject) -> None:
        if jobs := self.queue.jobs():
            job = data.draw(st.sampled_from(jobs))
            if isinstance(job.state, Ended):
                self.queue.retry([job.id])
            else:
                self.queue.cancel([job.id])

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        free: list[int | str] = [job.id for job in self.queue.jobs() if job.word != "running"]
        free += [f"s{template.id}" for template in self.queue.standing()]
        if free:
            gone = data.draw(st.sampled_from(free))
            self.queue.remove([gone])
            self.removed |= {gone} if isinstance(gone, int) else set()

    @invariant()
    def at_most_one_runs(self) -> None:
        assert self.queue.counts()["running"] in (0, 1)

    @invariant()
    def what_was_removed_does_not_come_back(self) -> None:
        assert not self.removed & {job.id for job in self.queue.jobs()}

    @invariant()
    def all_that_is_unfinished_is_due_or_waits_for_a_move(self) -> None:
        jobs, later = self.queue.jobs(), self.queue.wait_for_move()
        waiting = [job for job in jobs if job.word == "waiting" and job.batch not in later]
        runs = self.queue.running() is not None
        due = bool(waiting) and not self.queue.paused()
        assert self.queue.unfinished(self.tip) == (runs or due)

    @invariant()
    def no_batch_is_interrupted_by_another(self) -> None:
        batches = [batch for batch, _ in self.started]
        blocks = [batch for place, batch in enumerate(batches) if place == 0 or batches[place - 1] != batch]
        assert len(blocks) == len(set(blocks))

    @invariant()
    def standing_jobs_wait_once_at_most(self) -> None:
        waiting = [job for job in self.queue.jobs() if job.word == "waiting" and job.spec.command == "s"]
        unstarted = {job.batch for job in waiting if job.attempt == 1 and job.batch not in self.code_of}
        assert len(unstarted) <= self.stood


class QueueMachineAnew(QueueMachine):
    """The same, by examples that are new each time."""


_PROFILE = settings(stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))

TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(_PROFILE, max_examples=15, derandomize=True)

TestQueueMachineAnew = pytest.mark.slow(QueueMachineAnew.TestCase)
TestQueueMachineAnew.settings = settings(
    _PROFILE, max_examples=150, stateful_step_count=40, derandomize=False, database=None, print_blob=True
)
