"""Moves and batches: what runs on which code, in all orders in which code moves and people ask for things.

A row is a day, told in steps: what is asked for, where code moves to ("docs" is a move that changes nothing
for jobs), when a job is to start, and how it ends. After each step is done what a tick does with the queue.
The day's outcome is what each "start" started, and on which code; "-" where nothing may start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.queue.samples import A, B, C, ended, running, specs
from wtwatch.job import giving_way
from wtwatch.project.config import Project
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Outcome, Sha, Trigger

CODE = {"A": A, "B": B, "C": C, "D": Sha("d" * 40), "E": Sha("e" * 40)}
NAME = {code: name for name, code in CODE.items()}

DAYS = {
    # what runs keeps its code
    "a batch under way keeps its code to its end": ("now a b; start; move B; ok; start", "a@A b@A"),
    "the next batch takes the code of when it starts": ("now a; now b; start; move B; ok; start", "a@A b@B"),
    "a batch that waits has no code yet": ("now a; move B; start", "a@B"),
    "moves while a batch is under way count as the last one": (
        "next x; now a b; start; move B; move C; ok; start; ok; start", "a@A b@A x@C"),
    "a paused batch keeps its code through a move": (
        "now a b; start; ok; pause; move B; start; resume; start", "a@A - b@A"),
    "a job that is tried again after a move runs on the new code": (
        "now a; start; fail; move B; retry 1; start", "a@A a@B"),
    "one of a batch under way that is tried again comes after it, on the code of then": (
        "now a b; start; fail; retry 1; move B; start; ok; start", "a@A b@A a@B"),
    # which moves start what
    "a batch for the next move starts once": (
        "next a; start; move B; start; ok; move C; start", "- a@B -"),
    "a standing order runs at each move": (
        "every s; start; move B; start; ok; move C; start; ok; start", "- s@B s@C -"),
    "a move that touches nothing starts nothing": ("every s; next a; docs B; start", "-"),
    "what such a move followed counts from there": ("every s; docs B; move C; start; ok; start", "s@C -"),
    "a move backwards is a move": ("move B; every s; move A; start", "s@A"),
    "a move there and back is none": ("settle; every s; move B; move A; still; start", "-"),
    "and back to what ran is one": ("every s; move B; start; ok; move A; start", "s@B s@A"),
    "a batch that is due stays so though code moves back": ("next a; move B; move A; start", "a@A"),
    # the bookmark has to be still
    "moves within the settle time are one": (
        "settle; every s; move B; start; move C; start; still; start; ok; start", "- - s@C -"),
    "the settle time holds up no job that is due": ("settle; now a; move B; start", "a@B"),
    "a release starts what waits at once": (
        "settle; every s; next a; release B; start; ok; start", "a@B s@B"),
    "a release of before hurries no move after it": (
        "settle; every s; release B; move C; cancel 1; start", "-"),
    # standing orders never queue up
    "a standing batch that has not started gives way to the next": (
        "every s t; move B; move C; start; ok; start; ok; start", "s@C t@C -"),
    "one that has started ends, and the next comes after it": (
        "every s t; move B; start; move C; ok; start; ok; start; ok; start", "s@B t@B s@C t@C"),
    "one that is paused before it starts is superseded all the same": (
        "every s; move B; pause; move C; resume; start; ok; start", "s@C -"),
    "one that is paused under way is not": (
        "every s t; move B; start; ok; pause; move C; resume; start; ok; start", "s@B t@B s@C"),
    "one that was taken back stands no more, and what waits of it stays": (
        "every s; move B; cancel s1; move C; start; ok; start", "s@C -"),
    # order
    "batches run in the order in which they became due": (
        "next x; now a; move B; now b; start; ok; start; ok; start", "a@B x@B b@B"),
    "a batch under way comes first, whatever is asked for": ("now a b; start; now c; ok; start", "a@A b@A"),
    "of what waits for the same move, what was asked for once comes before what stands": (
        "every s; next a; move B; start; ok; start", "a@B s@B"),
    # on_move
    "after-job: what is left of a batch goes on on the new code": (
        "after-job; now a b; start; move B; ok; start", "a@A b@B"),
    "after-job: nothing gives way to documentation": (
        "after-job; now a b; start; docs B; ok; start", "a@A b@A"),
    "after-job: nor to a bookmark that is not still yet": (
        "after-job; settle; now a b c; start; move B; ok; start; still; ok; start", "a@A b@A c@B"),
    "after-job: nor while the queue is paused, but once it is resumed": (
        "after-job; now a b; start; pause; move B; ok; start; resume; start", "a@A - b@B"),
    "after-job: nor to a release that is to wait for the batch": (
        "after-job; now a b c; start; release-after-batch B; ok; start; move C; ok; start", "a@A b@A c@C"),
    "after-job: what is left comes before what was asked for later": (
        "after-job; now a b; now c; start; move B; ok; start; ok; start", "a@A b@B c@B"),
    "after-job: what is left of a standing batch is superseded by the move's own": (
        "after-job; every s t; move B; start; move C; ok; start; ok; start; ok; start", "s@B s@C t@C -"),
    "after-job: each move counts": (
        "after-job; now a b c; start; move B; ok; start; move C; ok; start", "a@A b@B c@C"),
    "after-job: a move backwards counts, too": (
        "after-job; move B; now a b; start; move A; ok; start", "a@B b@A"),
    "cancel: the job that runs is stopped, and runs again first": (
        "cancel-all; now a b; start; move B; stopped; start; ok; start", "a@A a@B b@B"),
    "cancel: one that ends well before it is stopped is not spared": (
        "cancel-all; now a; start; move B; ok; start", "a@A a@B"),
    "cancel: nothing is stopped for documentation": (
        "cancel-all; now a b; start; docs B; ok; start", "a@A b@A"),
    "after-batch: the setting by itself": ("after-batch; now a b; start; move B; ok; start", "a@A b@A"),
    # the queue pauses by itself
    "three failures at the start of a batch pause it": (
        "now a b c d; start; fail; start; fail; start; fail; start; resume; start", "a@A b@A c@A - d@A"),
    "and its code stays though it moves meanwhile": (
        "now a b c d; start; fail; start; fail; start; fail; move B; resume; start", "a@A b@A c@A d@A"),
    "a failure is no end of a batch": ("now a b; start; fail; start", "a@A b@A"),
    "one good end, and three failures pause nothing": (
        "now a b c d e; start; ok; start; fail; start; fail; start; fail; start", "a@A b@A c@A d@A e@A"),
    "max_failures pauses with the last that is allowed": (
        "at-most 2; now a b c; start; fail; start; fail; start; resume; start", "a@A b@A - c@A"),
    "a batch that is over pauses nothing": ("now a b c; start; fail; start; fail; start; fail; now d; start",
        "a@A b@A c@A d@A"),
    "what was tried again counts anew": (
        "now a b c d; start; fail; start; fail; start; fail; resume; retry 1 2 3; start; ok; start",
        "a@A b@A c@A d@A a@A"),
    # --first
    "the first alone, the rest when it is resumed": (
        "first a b; start; ok; start; resume; start", "a@A - b@A"),
    "the rest keeps the code of the first": ("first a b; start; ok; move B; resume; start", "a@A b@A"),
    "the rest goes on on new code where on_move says so": (
        "after-job; first a b; start; ok; move B; resume; start", "a@A b@B"),
    "a first that fails pauses as well": ("first a b; start; fail; start", "a@A -"),
    # pause and resume
    "what runs goes on though it is paused": ("now a b; start; pause; ok; start", "a@A -"),
    "a move while it is paused is followed, and starts after": (
        "next x; pause; move B; start; resume; start", "- x@B"),
    "paused twice is resumed once": ("now a; pause; pause; resume; start", "a@A"),
    # held
    "held jobs join no batch until they are approved": ("hold h; move B; start; approve; start", "- h@B"),
    "and then are the last": ("hold h; now a; approve; start; ok; start", "a@A h@A"),
    "nor are they part of a standing order": ("hold h; every s; move B; start; ok; start", "s@B -"),
}  # fmt: skip


class Day:
    """A queue, where code is, and what a tick does with both; ``ran``: what was started, on which code."""

    def __init__(self, state: Path) -> None:
        self.project = Project("p", state, state, state, settle=0.0)
        self.queue = Queue(state)
        self.tip, self.contents = A, {A: 0}
        self.at = A
        self.ran: list[str] = []

    def do(self, step: str) -> None:
        verb, *rest = step.split()
        verbs: dict[str, Callable[..., object]] = {
            "now": lambda *words: self.queue.add(specs(*words), Trigger.NOW, self.tip),
            "next": lambda *words: self.queue.add(specs(*words), Trigger.ON_MOVE, self.tip),
            "first": lambda *words: self.queue.add(specs(*words), Trigger.NOW, self.tip, first=1),
            "every": lambda *words: self.queue.add_standing(specs(*words), self.tip),
            "hold": lambda *words: self.queue.hold(specs(*words)),
            "approve": lambda: self.queue.approve(job.id for job in self.queue.held()),
            "cancel": lambda *ids: self.queue.cancel(_ids(ids)),
            "retry": lambda *ids: self.queue.retry(_ids(ids)),
            "pause": self.queue.pause,
            "resume": self.queue.resume,
            "move": lambda name: self.move(name, True),
            "docs": lambda name: self.move(name, False),
            "release": lambda name: self.queue.hurry(self.move(name, True)),
            "release-after-batch": lambda name: self.queue.await_end(self.move(name, True)),
            "settle": lambda: self.have(settle=300.0),
            "still": lambda: self.have(settle=0.0),
            "at-most": lambda number: self.have(max_failures=int(number)),
            "after-batch": lambda: self.have(on_move="after-batch"),
            "after-job": lambda: self.have(on_move="after-job"),
            "cancel-all": lambda: self.have(on_move="cancel"),
            "start": self.start,
            "ok": lambda: self.end(Outcome.SUCCEEDED),
            "fail": lambda: self.end(Outcome.FAILED),
            "stopped": lambda: self.end(Outcome.CANCELLED),
        }
        verbs[verb](*rest)
        self.tick()

    def have(self, **settings: object) -> None:
        self.project = self.project._replace(**settings)  # type: ignore[arg-type]

    def move(self, name: str, concerns: bool) -> Sha:
        before, self.tip = self.tip, CODE[name]
        self.contents.setdefault(self.tip, self.contents[before] + concerns)
        return self.tip

    def concerns(self, old: Sha, new: Sha) -> bool:
        return self.contents[old] != self.contents[new]

    def tick(self) -> None:
        """Do with the queue what :func:`wtwatch.story.tell` does with it before it starts a job."""
        queue, tip = self.queue, self.tip
        queue.note_tip(tip)
        under_way = queue.under_way()
        if under_way is not None:
            batch = giving_way.concerned(self.project, queue, tip)
            code = queue.batch_code(under_way)
            if batch is None or code is None or not self.concerns(code, tip):
                return
            queue.pass_on(batch, stop=self.project.on_move == giving_way.STOPS)
            if queue.living():
                return
        self.at = tip
        if queue.pending(tip) and queue.is_settled(tip, self.project.settle):
            queue.fire(tip, self.concerns)

    def start(self) -> None:
        job = self.queue.next_job()
        if job is not None:
            code = self.queue.batch_code(job.batch) or self.at
            self.queue.begin(job.id, running(code))
        self.ran.append(f"{job.spec.command}@{NAME[code]}" if job else "-")

    def end(self, outcome: Outcome) -> None:
        job = self.queue.running()
        assert job is not None
        self.queue.end(job.id, ended(outcome), self.project.max_failures)
        self.queue.note_cleared()


def _ids(words: tuple[str, ...]) -> list[int | str]:
    return [int(word) if word.isdigit() else word for word in words]


@pytest.mark.parametrize("promise", DAYS)
def test_of_moves_and_batches(tmp_path: Path, promise: str) -> None:
    steps, outcome = DAYS[promise]
    day = Day(tmp_path / "state")
    for step in steps.split("; "):
        day.do(step)
    assert " ".join(day.ran) == outcome
