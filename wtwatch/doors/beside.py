"""Work that goes on beside other work, in a thread of its own, until its answer is asked for.

Only so much of it: where a hundred projects move at once, threads of their own make none of them quicker.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore, Thread
from typing import Generic, TypeVar

AT_ONCE = 2
"""How many have a thread at a time: as many as one move has."""

_free = BoundedSemaphore(AT_ONCE)

T = TypeVar("T")


class Beside(Generic[T]):
    """A function at work, or one that will be when it is asked, where others are at work.

    It should wait for programs mostly, as threads share one Python.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread: Thread | None = None
        if _free.acquire(blocking=False):
            self._thread = Thread(target=self._do_beside, name="beside", daemon=True)
            self._thread.start()

    def _do_beside(self) -> None:
        try:
            self._do()
        finally:
            _free.release()

    def _do(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._error = error

    def end(self) -> None:
        """Wait until the work is over, if it began."""
        if self._thread is not None:
            self._thread.join()

    def answer(self) -> T:
        """Return what the function returns, or raise what it raised."""
        self.end()
        if not self._found and self._error is None:
            self._do()
        if self._error is not None:
            raise self._error
        return self._found[0]
