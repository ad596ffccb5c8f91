"""Turns of many projects by a few threads: all have theirs, none two at once, none waits for a slow one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from math import inf

import pytest

from tests.lab import eventually
from wtwatch.daemon import pool as pools
from wtwatch.daemon.pool import AT_ONCE, Pool


class One:
    """A member that does ``work`` and wants its next turn ``again`` seconds later."""

    def __init__(self, again: float = inf, work: Callable[[], object] = lambda: None) -> None:
        self.again = again
        self.work = work
        self.turns = 0
        self.inside = 0

    def turn(self) -> float:
        self.inside += 1
        assert self.inside == 1, "two turns at once"
        self.work()
        self.inside -= 1
        self.turns += 1
        return self.again


@pytest.fixture
def pool() -> Iterator[Pool]:
    before = set(threading.enumerate())
    pool = Pool()
    yield pool
    pool.stop(20)
    eventually(lambda: set(threading.enumerate()) <= before)  # it ends; those of others may, too


def workers(pool: Pool) -> int:
    return len(pool._threads)


def test_all_have_their_turn_and_then_one_thread_is_left(pool: Pool) -> None:
    most: list[int] = []
    members = [One(work=lambda: most.append(workers(pool))) for _ in range(100)]
    for one in members:
        pool.add(one)
    eventually(lambda: all(one.turns == 1 for one in members))
    assert max(most) <= AT_ONCE
    eventually(lambda: workers(pool) == 1)


def test_a_member_has_its_next_turn_when_it_named_and_when_it_is_woken(pool: Pool) -> None:
    often, seldom = One(again=0.001), One()
    pool.add(often)
    pool.add(seldom)
    eventually(lambda: often.turns > 20)
    assert seldom.turns == 1
    pool.wake(seldom)
    eventually(lambda: seldom.turns == 2)


def test_who_is_woken_during_a_turn_has_another(pool: Pool) -> None:
    going, go_on = threading.Event(), threading.Event()

    def work() -> None:
        going.set()
        assert go_on.wait(20)

    one = One(work=work)
    pool.add(one)
    assert going.wait(20)
    pool.wake(one)
    go_on.set()
    eventually(lambda: one.turns == 2)


def test_turns_that_take_long_hold_up_nobody(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LONG", 0.05)
    go_on = threading.Event()
    slow = [One(work=lambda: go_on.wait(20)) for _ in range(3 * AT_ONCE)]
    try:
        for one in slow:
            pool.add(one)
        quick = One()
        pool.add(quick)

        def had_its_turn() -> bool:
            pool.look()
            return quick.turns > 0

        eventually(had_its_turn)
        assert not any(one.turns for one in slow)
    finally:
        go_on.set()
    eventually(lambda: all(one.turns for one in slow))


def test_a_member_that_was_dropped_has_no_further_turn(pool: Pool) -> None:
    order: list[str] = []
    hold = threading.Event()
    gates = [One(work=lambda: hold.wait(20)) for _ in range(AT_ONCE)]
    for gate in gates:
        pool.add(gate)
    members = {name: One(work=lambda name=name: order.append(name)) for name in "abcd"}  # type: ignore[misc]
    for one in members.values():
        pool.add(one)
    pool.drop(members["b"])
    hold.set()
    eventually(lambda: len(order) == 3)
    assert set(order) == set("acd") and members["b"].turns == 0


def test_turns_that_take_no_time_are_taken_one_after_the_other(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "QUICK", 30.0)
    at_once: list[int] = []
    under_way = One(work=lambda: at_once.append(sum(one.inside for one in members)))
    members = [One(work=under_way.work) for _ in range(100)]
    for one in members:
        pool.add(one)
    eventually(lambda: all(one.turns == 1 for one in members))
    assert set(at_once) == {1}


def test_a_turn_that_takes_its_time_is_not_waited_for(pool: Pool) -> None:
    hold = threading.Event()
    slow, quick = One(work=lambda: hold.wait(20)), One()
    pool.add(slow)
    pool.add(quick)
    eventually(lambda: quick.turns == 1)
    assert not slow.turns
    hold.set()
