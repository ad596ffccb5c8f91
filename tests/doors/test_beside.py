"""Work beside other work: in a thread as long as few are at work, else when it is asked for."""

from __future__ import annotations

import threading

import pytest

from wtwatch.doors.beside import AT_ONCE, Beside


def test_more_work_than_there_are_threads_is_done_when_it_is_asked_for() -> None:
    gate, here = threading.Event(), threading.get_ident()

    def wait() -> int:
        assert gate.wait(20)
        return threading.get_ident()

    many = [Beside(wait) for _ in range(AT_ONCE)]
    more, unasked = Beside(threading.get_ident), Beside(lambda: 1 // 0)
    unasked.end()
    assert more.answer() == here == more.answer()
    gate.set()
    assert here not in {one.answer() for one in many}
    later = Beside(threading.get_ident)
    assert later.answer() != here


@pytest.mark.parametrize("busy", [False, True])
def test_what_it_raises_is_raised_by_the_answer(busy: bool) -> None:
    gate = threading.Event()
    others = [Beside(lambda: gate.wait(20)) for _ in range(AT_ONCE if busy else 0)]
    one = Beside(lambda: 1 // 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            one.answer()
    gate.set()
    for other in others:
        other.end()
