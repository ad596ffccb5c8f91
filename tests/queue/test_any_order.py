"""Anything done with a queue, in any order: what the promises say holds at every moment."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.queue.samples import A, B, C, always, commands, ended, never, running, specs
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, Outcome, Sha, Trigger


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
    def all_promises_hold(self) -> None:
        with self.queue.at_one_moment():
            jobs = self.queue.jobs()
            self.at_most_one_runs()
            self.what_was_removed_does_not_come_back(jobs)
            self.all_that_is_unfinished_is_due_or_waits_for_a_move(jobs)
            self.standing_jobs_wait_once_at_most(jobs)
        self.no_batch_is_interrupted_by_another()

    def at_most_one_runs(self) -> None:
        assert self.queue.counts()["running"] in (0, 1)

    def what_was_removed_does_not_come_back(self, jobs: list[Job]) -> None:
        assert not self.removed & {job.id for job in jobs}

    def all_that_is_unfinished_is_due_or_waits_for_a_move(self, jobs: list[Job]) -> None:
        later = self.queue.wait_for_move()
        waiting = [job for job in jobs if job.word == "waiting" and job.batch not in later]
        runs = self.queue.running() is not None
        due = bool(waiting) and not self.queue.paused()
        assert self.queue.unfinished(self.tip) == (runs or due)

    def no_batch_is_interrupted_by_another(self) -> None:
        batches = [batch for batch, _ in self.started]
        blocks = [batch for place, batch in enumerate(batches) if place == 0 or batches[place - 1] != batch]
        assert len(blocks) == len(set(blocks))

    def standing_jobs_wait_once_at_most(self, jobs: list[Job]) -> None:
        waiting = [job for job in jobs if job.word == "waiting" and job.spec.command == "s"]
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
