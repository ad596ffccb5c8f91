"""The daemon's hold on the process that starts jobs quickly (:mod:`wtwatch.job.warm`).

It is there only while jobs are due: begun when the first is, which no tick waits for, and ended a minute
after the last. Where it is not there, not ready, dead, slow, of another version, or not what would be loaded
now, :meth:`Warming.start` says so, and the job is started as it is without it.

No attempt is begun twice, since at each moment one side alone decides whether it begins. A request has a
channel of its own, a pair of sockets, over which it goes. The process that was forked for it answers ``r``
when it is all that a job's process has to be, waits for ``g``, and only behind that writes ``started``. So

* before ``g`` was sent the daemon decides: it closes its end, and a process that comes so far afterwards
  reads the end of the channel, and ends. The attempt has not begun, and may be begun in the other way.
* once ``g`` was sent there is no other way. A byte says that ``started`` is there; the end of the channel,
  that the process is gone. Then its folder says how far it came, as that of one which was started otherwise:
  without ``started`` the start has failed, and with it the next tick takes the job up.
* a daemon that dies closes its end: before ``g`` nothing has begun, and after it the job goes on.

The descriptor of the run tree's lock goes along: whoever else would start the job waits for that lock until a
process that may still begin has ended.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from wtwatch import __version__
from wtwatch.job.attempt import LOCK
from wtwatch.project.jobenv import for_any_tree

IDLE = 60.0
"""Seconds without a job that is due after which the process is ended."""

ANSWER = 5.0
"""Seconds within which it must have forked a process that is ready to begin."""

AGAIN = 60.0
"""Seconds until another is begun where one was of no use: DataLad cannot be loaded, say."""

READY, GO = b"r", b"g"
"""What is said over the channel of a request, to the daemon and by it."""

_log = logging.getLogger("wtwatch")


class Warming:
    """At most one such process; may be used by several threads at once.

    ``command`` begins it; the descriptor of its socket is added to that.
    """

    def __init__(self, command: Sequence[str] = (sys.executable, "-I", "-m", "wtwatch.job.warm")) -> None:
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = self._useful = self._told = False
        self._wanted = 0.0
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The pid of the process, if it is there and ready."""
        with self._lock:
            self._look()
            return self._process.pid if self._process is not None and self._ready else None

    def expect(self) -> None:
        """Be told that jobs are due: begin the process if it is not there. Returns at once."""
        with self._lock:
            self._wanted = time.monotonic()
            self._look()
            if self._process is None and self._wanted >= self._not_before:
                self._begin()

    def rest(self) -> None:
        """End the process if no job was due for :data:`IDLE` seconds; call it now and then."""
        with self._lock:
            self._look()
            if self._process is not None and time.monotonic() >= self._wanted + IDLE:
                self._end()

    def close(self) -> None:
        """End the process; jobs that it started go on."""
        with self._lock:
            self._end()

    def start(self, folder: Path, env: Mapping[str, str], where: Path, log: int, within: float) -> int | None:
        """Have the attempt of ``folder`` done by a process with these variables in the folder ``where``.

        Return 0 once that said that it started, ``None`` if it has not begun, else as the exit code of a
        process that failed to start, or did not within so many seconds. ``log`` is the descriptor that it
        prints to; it inherits the one that ``env`` names as the lock of the run tree.
        """
        handles = [log, *([int(env[LOCK])] if LOCK in env else [])]
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                asked = self._ask([theirs.fileno(), *handles])
            if asked is None:
                return None
            if not _agreed(ours, {"folder": str(folder), "where": str(where), "env": dict(env)}):
                self._give_up(asked)
                return None
            self._useful = True
            return _started(ours, within)

    def _ask(self, handles: Sequence[int]) -> subprocess.Popen[bytes] | None:
        """Hand a request's descriptors over; return to which process, ``None`` where none is ready."""
        with self._lock:
            self._look()
            if self._control is None or not self._ready:
                return None
            try:
                socket.send_fds(self._control, [b"!"], handles)
            except OSError:  # it died, or has not taken up many
                self._end()
                return None
            self._wanted = time.monotonic()
            return self._process

    def _give_up(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that gave no answer, or one that cannot be what a job's would be now."""
        with self._lock:
            if self._process is process:
                self._end()
                self._put_off()

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            try:
                process = subprocess.Popen(
                    [*self._command, str(theirs.fileno())],
                    cwd="/",
                    env=for_any_tree() | {"PWD": "/"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # a Ctrl-C is for the daemon
                )
            except OSError:  # what is in the way is said where the job is started
                ours.close()
                self._put_off()
                return
        self._process, self._control, self._ready, self._useful = process, ours, False, False

    def _look(self) -> None:
        """Take note if the process is ready, is of another version, or has ended by itself."""
        if self._control is None:
            return
        try:
            word = self._control.recv(64)
        except BlockingIOError:  # as nearly always
            return
        except OSError:
            word = b""
        if word == __version__.encode():
            self._ready = True
            return
        if not (self._ready or self._told):
            self._told = True
            _log.warning("jobs start slowly: what they need cannot be loaded before they do")
        self._end()
        self._put_off()

    def _put_off(self) -> None:
        if not self._useful:
            self._not_before = time.monotonic() + AGAIN

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None
        self._ready = False


def _agreed(ours: socket.socket, request: Mapping[str, object]) -> bool:
    """Return whether a process is ready for the request, and was told to go."""
    ours.settimeout(ANSWER)
    try:
        ours.sendall(json.dumps(request).encode() + b"\n")
        if ours.recv(1) != READY:
            return False
        ours.sendall(GO)
    except OSError:
        return False
    return True


def _started(ours: socket.socket, within: float) -> int:
    ours.settimeout(within)
    try:
        return 0 if ours.recv(1) else 1
    except TimeoutError:
        return -signal.SIGALRM
    except OSError:  # it died, and had something unread
        return 1
