"""Processes: whether one is still the one we knew, what it was given, which locks it holds.

Straight from ``/proc`` (proc(5)): a status while a job runs would wait 25 ms for the import of psutil.
"""

import os
import signal
import stat
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.clock import boot_id
from wtwatch.doors.proc import all_pids, entries, parents, read, words
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Process

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 15  # characters of a name that the kernel keeps


class Identity(NamedTuple):
    """A process beyond its pid, which the kernel gives out again: no clock that can be set is in it.

    ``ticks`` is when it started, in clock ticks since the machine did (proc_pid_stat(5), field 22).
    """

    pid: int
    ticks: int
    boot: str


def identity(pid: int) -> Identity | None:
    """Return who ``pid`` is now, or ``None`` if nobody is (a zombie counts as nobody)."""
    found = _stat(pid)
    return Identity(pid, found.ticks, boot_id()) if found else None


def age(pid: int) -> float:
    """Return for how many seconds a process has been there, to a hundredth; 0 for one that is not."""
    found = _stat(pid)
    return time.clock_gettime(time.CLOCK_BOOTTIME) - found.ticks / _TICKS if found else 0.0


def is_alive(known: Identity) -> bool:
    """Return whether the very process that ``known`` names still runs."""
    return identity(known.pid) == known


def bears(pid: int, variable: str, value: str) -> bool:
    """Return whether ``pid`` was started with ``variable=value`` in the environment that it was given."""
    return os.fsencode(f"{variable}={value}") in entries(pid, "environ")


def variables(pid: int) -> dict[str, str]:
    """Return the variables that ``pid`` was started with; none where they may not be read."""
    pairs = (os.fsdecode(entry).partition("=") for entry in entries(pid, "environ") if entry)
    return {name: value for name, _, value in pairs}


def bearing(variable: str, value: str, leader: Identity | None = None) -> list[int]:
    """Return the pids of processes that were started with ``variable=value`` in their environment.

    With ``leader`` also those in the session that it leads or led: a process that was given a new
    environment is still in it, and one that made itself a session still has the environment.
    """
    if leader is not None and (leader.boot != boot_id() or _is_another(leader)):
        leader = None
    present = all_pids()
    in_session = {pid for pid in present if leader is not None and session(pid) == leader.pid}
    marked = {pid for pid in present if bears(pid, variable, value)}
    return sorted(pid for pid in in_session | marked if _stat(pid) is not None)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are gone by now are passed over.

    Raises :class:`WtwatchError` if some may not be told, being another user's, when all others were.
    """
    refused = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            refused.append(pid)
    known = [f"{process.name} (pid {process.pid})" for process in map(describe, refused) if process]
    if known:
        raise WtwatchError(
            f"{', '.join(known)}: of another user, and not to be ended by this one.",
            f"It goes on when that ends: sudo kill {' '.join(map(str, refused))}",
        )


def _is_another(known: Identity) -> bool:
    """Return whether the kernel gave the pid to another process since."""
    return identity(known.pid) is not None and not is_alive(known)


def _booted() -> float:
    """Return when the machine started, in seconds since 1970, for people: it moves with the clock."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime "))


class _Stat(NamedTuple):
    """What ``/proc/PID/stat`` says, as far as it is needed here; ``ticks`` as in :class:`Identity`."""

    name: str
    ticks: int


def _stat(pid: int) -> _Stat | None:
    """Return what the kernel knows of ``pid``, or ``None`` if nobody is (a zombie counts as nobody)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")  # the name may hold brackets itself
    fields = rest.split()  # from the third on, which is the state
    if fields[0] in ("Z", "X"):
        return None
    return _Stat(name, int(fields[19]))


def session(pid: int) -> int | None:
    """Return the session that ``pid`` is in, as the pid of its leader; ``None`` if nobody is there."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def serves(pid: int, master: int) -> bool:
    """Return whether ``pid`` works for ``master``, from whom it descends within its session, or is over."""
    return _stat(pid) is None or (master in parents(pid) and session(pid) == session(master))


def describe(pid: int) -> Process | None:
    """Return a process for people, or ``None`` if it is over."""
    found = _stat(pid)
    if found is None:
        return None
    name, said = found.name, words(pid)
    if len(name) == _LONGEST:
        programs = (Path(word).name for word in said[:2])  # of a script: its interpreter, then itself
        name = next((program for program in programs if program.startswith(name)), name)
    since = datetime.fromtimestamp(_booted() + found.ticks / _TICKS, UTC)
    return Process(pid, name, since, " ".join(said))


def pipe_at(pid: int, number: int) -> str | None:
    """Return which pipe a process has open as its descriptor ``number``, as the kernel names it."""
    try:
        name = os.readlink(f"/proc/{pid}/fd/{number}")  # noqa: PTH115
    except OSError:
        return None
    return name if name.startswith("pipe:") else None


def holding(lock: Path) -> list[Process]:
    """Return the processes that hold a lock by flock(2), inherited or their own (proc_pid_fdinfo(5)).

    Those that have it open are looked for. The kernel's own list of all locks (proc_locks(5)) would say at
    once that there are none, but whoever reads that waits for all of its processors, some 10 ms.
    """
    name = os.path.realpath(lock)
    pids = [pid for pid in all_pids() if any(_has_locked(pid, handle) for handle in _handles(pid, name))]
    return [process for process in map(describe, pids) if process]


def _handles(pid: int, file: str) -> list[str]:
    """Return by which numbers a process has a file open."""
    folder = f"/proc/{pid}/fd"
    try:
        return [fd for fd in os.listdir(folder) if _leads_to(f"{folder}/{fd}", file)]  # noqa: PTH208
    except OSError:
        return []


def _leads_to(link: str, file: str) -> bool:
    try:
        return os.readlink(link) == file  # noqa: PTH115
    except OSError:  # closed by now
        return False


def _has_locked(pid: int, handle: str) -> bool:
    return b"FLOCK" in read(pid, f"fdinfo/{handle}")


def reads_its_commands(pid: int) -> bool:
    """Return whether the standard input of a process is a file, a pipe or a socket, not a terminal."""
    try:
        mode = os.stat(f"/proc/{pid}/fd/0").st_mode  # noqa: PTH116
    except OSError:
        return False
    return not stat.S_ISCHR(mode)
