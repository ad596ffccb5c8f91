"""What takes too long for a tick, done beside the ticks of a project, one thing at a time in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from wtwatch.words.tick import Work

FIRST_WAIT = 10.0
"""Seconds from what failed to its next try; each further one waits twice as long."""

LONGEST_WAIT = 300.0
"""Seconds that what fails again and again waits at most."""

_log = logging.getLogger("wtwatch")


class Background:
    """Does work for a project's ticks; ``then`` asks for a tick, when something was done or failed."""

    again_in = None

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: dict[str, tuple[float, float]] = {}

    def takes(self, what: str) -> bool:
        """Return whether nothing is at work, and this did not fail just now."""
        due, _ = self._failed.get(what, (0.0, 0.0))
        return self._thread is None and time.monotonic() >= due

    def take(self, what: str, work: Work) -> None:
        """Begin with it."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._do, args=(what, work, self._stop), name="beside", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Have what is at work end soon, and what failed be tried again at once."""
        self._stop.set()
        self._failed.clear()

    def wait(self, seconds: float) -> None:
        """Wait until nothing is at work, for so long at most."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _do(self, what: str, work: Work, stop: threading.Event) -> None:
        done = False
        try:
            done = work(stop.is_set)
        except Exception:
            _log.exception("%s: wtwatch itself failed", what)
        if done or stop.is_set():
            self._failed.pop(what, None)
        else:
            _, before = self._failed.get(what, (0.0, 0.0))
            wait = min(2 * before or FIRST_WAIT, LONGEST_WAIT)
            self._failed[what] = time.monotonic() + wait, wait
        self._thread = None  # so that the tick which is asked for now finds it free
        self._then()
