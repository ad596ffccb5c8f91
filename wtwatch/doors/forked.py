"""A fork of this process, which works at the same time, and answers when it is asked.

Threads share one Python, so that of two that call the kernel thousands of times none gets done sooner. What
a fork opens, it alone has: programs that this process starts are none the slower for it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from wtwatch.doors.handles import close_others
from wtwatch.words.errors import WtwatchError

LOOK = 0.05
"""Seconds between two looks for an answer: a signal may have come to another thread, and be for this one."""

_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
_TELL_ME = 1
"""PR_SET_PDEATHSIG of prctl(2): a signal for when the parent has ended."""

Answer = Callable[[bytes], Any]
"""Takes a word of one byte, and returns what JSON can say."""


class Forked:
    """A fork of this process, until :meth:`let_go` or the end of this process, however that comes.

    ``answer`` is called there for each word that is asked. It may open what it likes, and must start no
    threads. To be made where this process has one thread, or others that only wait.
    """

    def __init__(self, answer: Answer) -> None:
        self._channel, other = socket.socketpair()
        me = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            _serve(other, answer, me)
        other.close()
        self._is_there = True
        self._said = b""

    def ask(self, word: bytes) -> None:
        """Ask for something, for :meth:`answer` to return; raises :class:`WtwatchError` if it has ended."""
        try:
            self._channel.sendall(word)
        except OSError as error:
            raise self._ended() from error

    def answer(self) -> Any:
        """Wait for the answer to what was asked first; raises :class:`WtwatchError` if it ended before."""
        while b"\n" not in self._said:
            while not select.select([self._channel], [], [], LOOK)[0]:
                pass
            try:
                part = self._channel.recv(1 << 16)
            except OSError:
                part = b""
            if not part:
                raise self._ended()
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)

    def _ended(self) -> WtwatchError:
        return WtwatchError(f"process {self.pid}, which was forked for that, has ended")

    def let_go(self) -> bool:
        """End it, whatever it does; return whether it was there until now. To be followed by :meth:`wait`."""
        self._is_there = self._is_there and os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        if self._is_there:
            os.kill(self.pid, signal.SIGKILL)
        self._channel.close()  # last, as it ends by itself once that is closed
        return self._is_there

    def wait(self) -> None:
        """Wait until all that it had open is closed: thousands of files take some milliseconds."""
        if self._is_there:
            os.waitpid(self.pid, 0)
            self._is_there = False


def _serve(channel: socket.socket, answer: Answer, parent: int) -> NoReturn:
    """Answer in the fork what is asked, and end it."""
    try:
        for number in _IGNORED:  # who ends all processes of a job means those that do its work
            signal.signal(number, signal.SIG_IGN)
        _end_with(parent)
        gc.disable()
        os.chdir("/")
        close_others((channel.fileno(),))
        while word := channel.recv(1):
            channel.sendall(json.dumps(answer(word)).encode() + b"\n")
    except BaseException:
        with suppress(BaseException):
            _print_error()
    finally:
        os._exit(0)


def _end_with(parent: int) -> None:
    """Have this process be killed when its parent ends, also where it waits for something just then."""
    import ctypes

    ctypes.CDLL(None).prctl(_TELL_ME, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _print_error() -> None:
    import traceback

    traceback.print_exc()
