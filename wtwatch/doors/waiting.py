"""Waiting for a program in a way that no signal gets lost.

The kernel may tell any thread of a signal, and the first one less likely while it starts a program, as it
blocks them for that moment. What Python does for a signal it does in the first thread alone, which does not
hear of it in the midst of a wait: `kill` a job as its command begins, and nothing would come of that until
the command has ended.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from resource import struct_rusage
from types import FrameType


@contextmanager
def heard() -> Iterator[int]:
    """Have each signal that comes while the body runs write into a pipe, whichever thread it comes to.

    Yield the end to read from. Among them is that a child has ended. To be called in the first thread. The
    handler for that stays: where another child ends while it is taken away, Python complains of a race.
    """
    hear, say = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, _pass)
    before = signal.set_wakeup_fd(say, warn_on_full_buffer=False)
    try:
        yield hear
    finally:
        signal.set_wakeup_fd(before)
        os.close(hear)
        os.close(say)


def wait(pid: int, hear: int) -> tuple[int, struct_rusage]:
    """Wait for the end of a child that was started within :func:`heard`, which yielded ``hear``.

    Return its status, and what it and all that it waited for took (wait4(2)). What the handler of a signal
    raises is passed on.
    """
    coming = select.poll()
    coming.register(hear, select.POLLIN)
    while True:
        ended, status, taken = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, taken
        coming.poll()
        with suppress(BlockingIOError):
            os.read(hear, 4096)


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Be told of a signal that would be of no consequence otherwise."""
