"""The time and memory that a job's command may take at most, looked at while it runs.

Memory is what its processes have of their own, that is no file's, what they share counted once. It is
looked at about each second: no limit of the kernel's on a process is like it. RLIMIT_AS and RLIMIT_DATA
(getrlimit(2)) count what a process has only reserved, and each process by itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic

from wtwatch.doors import footprint
from wtwatch.words.resources import Resources, memory_words, span_words

SOON, LOOK = 0.1, 1.0
"""Seconds until the first look at memory, and between two at last; each pause is twice the one before."""

SHARE = 20
"""A look takes one part in so many of the time at most, however many processes there are."""


class Ceilings:
    """What an attempt may take; ``why`` says which it reached, if it did.

    ``pids`` are the processes that count. From :meth:`begin` to :meth:`end` this process is told by
    :attr:`SIGNAL`, once; later nothing comes any more.
    """

    SIGNAL = signal.SIGALRM

    def __init__(self, want: Resources, pids: Callable[[], Sequence[int]]) -> None:
        self.why: str | None = None
        self._want, self._pids = want, pids
        self._over, self._lock = Event(), Lock()
        self._watching: Thread | None = None

    def begin(self) -> None:
        """Count from now on: the command is about to start."""
        if self._watching is None and (self._want.seconds is not None or self._want.mem is not None):
            self._watching = Thread(target=self._watch, name="ceilings", daemon=True)
            self._watching.start()

    def end(self) -> None:
        """Stop counting: the command is over."""
        with self._lock:
            self._over.set()

    def are_open(self) -> bool:
        """Return whether the command still counts: a signal that comes later means nothing."""
        return not self._over.is_set()

    def _watch(self) -> None:
        until = None if self._want.seconds is None else monotonic() + self._want.seconds
        pause = SOON
        while not self._over.wait(self._pause(until, pause)):
            began = monotonic()
            why = self._reached(until)
            pause = max(min(2 * pause, LOOK), SHARE * (monotonic() - began))
            if why is None:
                continue
            with self._lock:
                if not self._over.is_set():
                    self.why = why
                    os.kill(os.getpid(), self.SIGNAL)
            return

    def _pause(self, until: float | None, pause: float) -> float:
        left = pause if until is None else max(until - monotonic(), 0.0)
        return left if self._want.mem is None else min(pause, left)

    def _reached(self, until: float | None) -> str | None:
        """Return which ceiling the attempt has reached."""
        if until is not None and self._want.seconds is not None and monotonic() >= until:
            return f"time limit of {span_words(self._want.seconds)} reached"
        if self._want.mem is None:
            return None
        most, taken = self._want.mem * 1_000_000, 0
        with suppress(OSError):  # this process may have no more files open, say: the next look sees it
            pids = self._pids()
            taken = footprint.exactly(pids) if footprint.at_most(pids) > most else 0
        if taken <= most:
            return None
        had = memory_words(taken // 1_000_000)
        return f"memory limit of {memory_words(self._want.mem)} reached: it had {had}"
