"""Programs of Python that begin at once: each is forked off a process that has loaded what they need.

A start of its own takes a program a third of a second, most of which is the loading, and proofs start them by
the thousand.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]

_LOADED = (
    "tests.full_disk",
    "tests.house",
    "tests.proofs.steps",
    "wtwatch.daemon.background",
    "wtwatch.home.merge",
    "wtwatch.reconcile",
    "wtwatch.tree.release",
)
"""What programs of the proofs begin with, or come to use."""

_PR_SET_CHILD_SUBREAPER = 36
"""Whose parent has ended becomes a child of the process that asked for it (prctl(2))."""

_LONGEST = 1 << 17
"""Bytes of code, words and environment that a program may be given."""


class Program:
    """A program at work, with as much of :class:`subprocess.Popen` as proofs use.

    It leads a session of its own, and reads and prints nothing; ``communicate`` returns what it complains of.
    """

    def __init__(self, code: str, words: Sequence[str]) -> None:
        asked = json.dumps([code, words, _here(), dict(os.environ)]).encode()
        assert len(asked) < _LONGEST
        self.returncode: int | None = None
        self._said, self._complained = b"", b""
        self._told, told = os.pipe()
        self._errors, errors = os.pipe()
        socket.send_fds(_nursery(), [asked], [told, errors])
        os.close(told)
        os.close(errors)
        while b"\n" not in self._said:
            assert self._hear(None), "it could not be started"
        self.pid = int(self._said.split(b"\n")[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.communicate()
        os.close(self._told)
        os.close(self._errors)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or ``None`` while it runs."""
        while self.returncode is None and self._hear(0):
            pass
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for its end, and for that of all who may still complain for it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as pipes:
            pipes.register(self._errors, selectors.EVENT_READ)
            if self.returncode is None:
                pipes.register(self._told, selectors.EVENT_READ)
            while pipes.get_map():
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = pipes.select(left)
                if not ready:
                    raise subprocess.TimeoutExpired(["python"], timeout or 0)
                for key, _ in ready:
                    if key.fd == self._told:
                        over = not self._hear(None) or self.returncode is not None
                    else:
                        more = os.read(self._errors, 65536)
                        self._complained += more
                        over = not more
                    if over:
                        pipes.unregister(key.fd)
        return b"", self._complained

    def outlive(self, timeout: float) -> None:
        """Wait, after its end, for that of all that it left running, as jobs that it started."""
        with selectors.DefaultSelector() as pipe:
            pipe.register(self._told, selectors.EVENT_READ)
            if not pipe.select(timeout):
                raise subprocess.TimeoutExpired(["what python started"], timeout)
        assert not self._hear(None)

    def _hear(self, timeout: float | None) -> bytes:
        """Read what is told of it, within so many seconds; nothing at the end."""
        with selectors.DefaultSelector() as pipe:
            pipe.register(self._told, selectors.EVENT_READ)
            more = os.read(self._told, 100) if pipe.select(timeout) else b""
        self._said += more
        words = self._said.split()
        if len(words) == 2 and self._said.endswith(b"\n"):
            self.returncode = int(words[1])
        return more


def _here() -> str:
    """Return the folder that we are in; the top of the checkout where that is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return str(ROOT)


_control: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []
"""The way to this process's own nursery, once there is one."""


def _nursery() -> socket.socket:
    if not _control:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST)
        nursery = subprocess.Popen(  # which ends when this process does, and with it the socket
            [sys.executable, "-P", "-m", __name__, str(its.fileno())],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
        its.close()
        _control.append((ours, nursery))
    return _control[0][0]


def _serve(control: socket.socket) -> str | None:
    """Fork off a program for each that is asked for; return its code in that, and nothing at the end."""
    while True:
        asked, fds, _, _ = socket.recv_fds(control, _LONGEST, 2)
        if not asked:
            return None
        if os.fork() == 0:
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            told, errors = fds
            program = os.fork()
            if program == 0:
                os.setsid()
                os.write(told, b"%d\n" % os.getpid())  # who hears of it may strike all of the session now
                os.close(told)
                return _become(asked, errors)
            os.close(errors)
            _watch_over(program, told)
            os._exit(0)
        for fd in fds:
            os.close(fd)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch_over(program: int, told: int) -> None:
    """Tell, at its end, the exit code of a program; return when all that it left is gone too."""
    ended, status = os.waitpid(-1, 0)
    while ended != program:
        ended, status = os.waitpid(-1, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _become(asked: bytes, errors: int) -> str:
    code, words, folder, env = json.loads(asked)
    os.dup2(errors, 2)
    os.close(errors)
    for name, fd in (("stdout", 1), ("stderr", 2)):  # those that were there may know another kind of file
        setattr(sys, name, open(fd, "w", buffering=1, errors="backslashreplace", closefd=False))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.argv = ["-c", *words]
    return str(code)


def _main() -> str | None:
    import importlib

    for name in _LOADED:
        importlib.import_module(name)
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        return _serve(control)


if __name__ == "__main__":
    _code = _main()
    if _code is not None:
        exec(compile(_code, "<program>", "exec"), {"__name__": "__main__"})
