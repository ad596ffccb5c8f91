"""Who asks during a walk has the answer of one that began after that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.lab import eventually
from wtwatch.tree import rounds
from wtwatch.tree.rounds import Rounds
from wtwatch.tree.walk import Folder

HERE, THERE, ELSEWHERE = (1, 1), (1, 2), (1, 3)


class Gated:
    """Walks that say when they begin, and go on when they are let; the nth finds the process n."""

    def __init__(self) -> None:
        self.begun: list[set[Folder]] = []
        self.go = threading.Semaphore(0)
        self.fails = False

    def __call__(self, folders: set[Folder]) -> Gated:
        self.begun.append(set(folders))
        number = len(self.begun)
        assert self.go.acquire(timeout=20)
        if self.fails:
            raise OSError("no /proc")
        self.users = {folder: {number} for folder in folders}
        return self


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Gated:
    gated = Gated()
    monkeypatch.setattr(rounds, "Walk", gated)
    return gated


@contextmanager
def asked(shared: Rounds, folder: Folder, answers: dict[Folder, object]) -> Iterator[None]:
    begun = Event()

    def ask() -> None:
        begun.set()
        try:
            answers[folder] = shared.users_of(folder)
        except OSError as error:
            answers[folder] = str(error)

    thread = Thread(target=ask)
    thread.start()
    assert begun.wait(20)
    yield
    thread.join(20)
    assert not thread.is_alive()


def test_all_who_ask_during_a_walk_share_the_next(gated: Gated) -> None:
    shared, answers = Rounds(), dict[Folder, object]()
    with asked(shared, HERE, answers):
        eventually(lambda: len(gated.begun) == 1)
        with asked(shared, THERE, answers), asked(shared, ELSEWHERE, answers):
            eventually(lambda: len(shared._next.folders) == 2)
            gated.go.release()
            eventually(lambda: len(gated.begun) == 2)
            gated.go.release()
    assert gated.begun == [{HERE}, {THERE, ELSEWHERE}]
    assert answers == {HERE: {1}, THERE: {2}, ELSEWHERE: {2}}


def test_a_walk_that_fails_fails_for_its_own_and_the_others_walk_themselves(gated: Gated) -> None:
    shared, answers = Rounds(), dict[Folder, object]()
    gated.fails = True
    with asked(shared, HERE, answers):
        eventually(lambda: len(gated.begun) == 1)
        with asked(shared, THERE, answers):
            eventually(lambda: shared._next.folders == {THERE})
            gated.go.release()
            eventually(lambda: len(gated.begun) == 2)
            gated.fails = False
            gated.go.release()
    assert answers == {HERE: "no /proc", THERE: {2}}
