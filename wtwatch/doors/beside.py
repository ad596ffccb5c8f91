"""Work that goes on beside other work, in a thread of its own, until its answer is asked for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """A function at work. It should wait for programs mostly, as threads share one Python."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._do, name="beside", daemon=True)
        self._thread.start()

    def _do(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._error = error

    def end(self) -> None:
        """Wait until the work is over."""
        self._thread.join()

    def answer(self) -> T:
        """Wait for what the function returns, or raise what it raised."""
        self.end()
        if self._error is not None:
            raise self._error
        return self._found[0]
