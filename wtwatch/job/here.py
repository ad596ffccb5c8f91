"""The executor *here*: an attempt is a process on this host, of which the daemon's death means nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wtwatch.doors.processes import bearing, is_alive, send
from wtwatch.doors.traces import is_full
from wtwatch.job.attempt import LOCK, MARK
from wtwatch.job.executor import Executor, Handle, Life, Seen, wrapper_of
from wtwatch.words.errors import WtwatchError
from wtwatch.words.quoting import quoted
from wtwatch.words.resources import Resources

if TYPE_CHECKING:  # which no command needs
    from wtwatch.job.warming import Warming

START_LIMIT = 60.0
"""Seconds within which an attempt's process must have said that it started."""


class Here(Executor):
    """Starts processes on this host and finds them by their session, or by a variable that all inherit."""

    name = "here"
    shared_host = True

    def __init__(self) -> None:
        self.warming: Warming | None = None  # the daemon alone has one

    def expect(self) -> None:
        """Get ready for jobs that are due; see :meth:`Executor.expect`."""
        if self.warming is not None:
            self.warming.expect()

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        """Start ``command``, which detaches itself; see :meth:`Executor.submit`.

        Where what it needs is loaded already, it is a fork of that process instead. It inherits
        the descriptor that ``env`` names as the lock of the run tree. Resources are not limited here.
        """
        with handle.folder.log.open("ab") as log:
            code = None
            if self.warming is not None and list(command) == wrapper_of(handle.folder):
                code = self.warming.start(handle.folder.path, env, where, log.fileno(), START_LIMIT)
            if code is None:
                code = _run(command, env, where, log)
        started = handle.folder.started()
        if code != 0 or started is None:
            if is_full(handle.folder.path):  # then its log could not take up why
                raise WtwatchError(
                    f"The disk of {handle.folder.path} is full.",
                    f"Make room on it (df -h {quoted(handle.folder.path)}); then it goes on by itself.",
                )
            said = handle.folder.log.read_text(errors="replace").strip().splitlines() or [
                "it printed nothing"
            ]
            raise WtwatchError(
                f"It could not be started (exit {code}): {said[-1]}", f"See {handle.folder.log}."
            )
        return handle._replace(native=str(started.pid))

    def poll(self, handles: Sequence[Handle]) -> dict[str, Seen]:
        """Return which attempts have a process; of another host's nothing is known here."""
        return {handle.uuid: self._seen(handle) for handle in handles}

    def _seen(self, handle: Handle) -> Seen:
        if handle.folder.host() not in (None, os.uname().nodename):
            return Seen(Life.UNKNOWN, f"it runs on {handle.folder.host()}")
        process = handle.folder.started()
        if process is not None and is_alive(process):
            return Seen(Life.ALIVE)
        return Seen(Life.ORPHANED if _others(handle) else Life.GONE)

    def cancel(self, handles: Sequence[Handle], force: bool) -> None:
        """Signal all processes of the attempts, and none that only has the pid of one."""
        pids = [pid for handle in handles for pid in _others(handle)]
        send(pids, signal.SIGKILL if force else signal.SIGTERM)


def _run(command: Sequence[str], env: Mapping[str, str], where: Path, log: IO[bytes]) -> int:
    """Run a command that detaches itself; return its exit code."""
    lock = [int(env[LOCK])] if LOCK in env else []
    try:
        return subprocess.run(
            command,
            cwd=where,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=lock,
            timeout=START_LIMIT,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return -signal.SIGALRM


def _others(handle: Handle) -> list[int]:
    """Return the processes of an attempt, its own among them if that is still there."""
    return bearing(MARK, handle.uuid, handle.folder.started())


def left_running(handle: Handle) -> list[int]:
    """Return what an attempt started and left running, without its own process."""
    process = handle.folder.started()
    return [pid for pid in _others(handle) if process is None or pid != process.pid]
