"""Processes: whether one is still the one we knew, what it was given, where it stands and writes.

Straight from ``/proc`` (proc(5)): a status while a job runs would wait 25 ms for the import of psutil.
"""

import os
import signal
import stat
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.clock import boot_id
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Process

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 15  # characters of a name that the kernel keeps
_MUCH = 65536
_NO_FILES = ("/dev/", "/proc/", "/memfd:")


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
    return os.fsencode(f"{variable}={value}") in _entries(pid, "environ")


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


def is_stopped(pid: int) -> bool:
    """Return whether a process is held up by a signal such as that of Ctrl-Z, or by a debugger.

    Its threads say the same of themselves (proc_pid_stat(5): state T or t).
    """
    text = _read(pid, "stat").rpartition(b")")[2].split()
    return text[:1] in ([b"T"], [b"t"])


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
    parent: int
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
    return _Stat(name, int(fields[1]), int(fields[19]))


def session(pid: int) -> int | None:
    """Return the session that ``pid`` is in, as the pid of its leader; ``None`` if nobody is there."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _entries(pid: int, file: str) -> list[bytes]:
    """Return what ``/proc/PID/cmdline`` or ``environ`` holds; nothing where it may not be read."""
    text = _read(pid, file).rstrip(b"\0")
    return text.split(b"\0") if text else []


def _read(pid: int, file: str) -> bytes:
    """Return a small file of ``/proc/PID`` whole; without the layers of Path: all processes are asked."""
    try:
        handle = os.open(f"/proc/{pid}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = b""
        while part := os.read(handle, _MUCH):
            text += part
        return text
    except OSError:
        return b""
    finally:
        os.close(handle)


def serves(pid: int, master: int) -> bool:
    """Return whether ``pid`` works for ``master``, from whom it descends within its session, or is over."""
    return _stat(pid) is None or (master in parents(pid) and session(pid) == session(master))


def parents(pid: int) -> Iterator[int]:
    """Yield the parent of a process, the parent of that one, and so on."""
    while (found := _stat(pid)) is not None:
        pid = found.parent
        yield pid


def all_pids() -> list[int]:
    """Return the pids of all processes that can be seen, but for the kernel's own threads."""
    threads = _threads_of_the_kernel()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name not in threads]  # noqa: PTH208


def _threads_of_the_kernel() -> frozenset[str]:
    """Return the pids of what stands nowhere and has no file open: half of all, and all of one parent."""
    if _read(2, "comm") != b"kthreadd\n":  # in a container
        return frozenset()
    return frozenset(_read(2, "task/2/children").decode("ascii").split())  # proc_tid_children(5)


def words(pid: int) -> list[str]:
    """Return the command line of a process, which everybody may read; a kernel thread has none."""
    return [os.fsdecode(word) for word in _entries(pid, "cmdline")]


def says(pid: int, *texts: bytes) -> bool:
    """Return whether one of the texts stands anywhere in the command line of a process."""
    said = _read(pid, "cmdline")
    return any(text in said for text in texts)


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


def view(pid: int, path: str = "") -> str:
    """Return the way to a path as ``pid`` sees it: from its working folder if relative, in its own mounts.

    It leads nowhere where that may not be read: another user's (proc_pid_root(5), proc_pid_cwd(5)).
    """
    if path.startswith("/"):
        return f"/proc/{pid}/root{path}"
    return f"/proc/{pid}/cwd/{path}" if path else f"/proc/{pid}/cwd"


def has_own_mounts(pid: int) -> bool:
    """Return whether a process has mounts of its own, as in a container: paths lead elsewhere there."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") != _our_mounts()  # noqa: PTH115
    except OSError:
        return False


@cache
def _our_mounts() -> str:
    return os.readlink("/proc/self/ns/mnt")  # noqa: PTH115


def written_by(pid: int) -> set[str]:
    """Return the files that a process has open for writing, as the kernel names them; none of another user's.

    A file that was removed meanwhile is none, nor is a pipe, a socket or a device.
    """
    folder = f"/proc/{pid}/fd"
    try:
        links = [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208 - names alone
    except OSError:
        return set()
    return {file for link in links if (file := _file_written(link))}


def _file_written(link: str) -> str | None:
    """Return where a link in ``/proc/PID/fd`` leads: it may be written if its file is open for that."""
    try:
        file = os.readlink(link)  # noqa: PTH115 - Path takes three times as long
        if file[0] != "/" or file.startswith(_NO_FILES) or file.endswith(" (deleted)"):
            return None
        return file if os.lstat(link).st_mode & stat.S_IWUSR else None
    except OSError:  # closed by now
        return None


def pipe_at(pid: int, number: int) -> str | None:
    """Return which pipe a process has open as its descriptor ``number``, as the kernel names it."""
    try:
        name = os.readlink(f"/proc/{pid}/fd/{number}")  # noqa: PTH115
    except OSError:
        return None
    return name if name.startswith("pipe:") else None


def locks() -> str:
    """Return what the kernel lists of all locks (proc_locks(5)); nothing where it may not be read."""
    try:
        return Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return ""


def holding(lock: Path, listed: str | None = None) -> list[Process]:
    """Return the processes that hold a lock by flock(2), inherited or their own (proc_pid_fdinfo(5)).

    ``listed`` is what :func:`locks` returned just now, for who asks for many.
    """
    try:
        name, number = os.path.realpath(lock), lock.stat().st_ino
    except OSError:
        return []
    if f":{number} " not in (locks() if listed is None else listed):  # as nearly always
        return []
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
    return b"FLOCK" in _read(pid, f"fdinfo/{handle}")


def reads_its_commands(pid: int) -> bool:
    """Return whether the standard input of a process is a file, a pipe or a socket, not a terminal."""
    try:
        mode = os.stat(f"/proc/{pid}/fd/0").st_mode  # noqa: PTH116
    except OSError:
        return False
    return not stat.S_ISCHR(mode)


def folders_above(way: str) -> frozenset[tuple[int, int]]:
    """Return the folder that ``way`` leads to and all that it lies in, each by its device and inode.

    None where it leads nowhere; see :func:`lies_in`.
    """
    found: list[tuple[int, int]] = []
    here = way
    while True:
        try:
            at = os.stat(here)  # noqa: PTH116 - Path would fold the ..
        except OSError:
            return frozenset()
        key = (at.st_dev, at.st_ino)
        if found and key == found[-1]:  # the root is its own parent
            return frozenset(found)
        found.append(key)
        here += "/.."


def lies_in(way: str, folder: tuple[int, int]) -> bool:
    """Return whether ``way`` leads to ``folder`` or into it; that is named by its device and inode.

    Compared through all parents, since a bind mount shows other paths.
    """
    # No verdict is kept from one process to the next: in a bind mount the same folder has another parent.
    here = way
    below = None
    while True:
        try:
            found = os.stat(here)  # noqa: PTH116 - Path would fold the ..
        except OSError:
            return False
        key = (found.st_dev, found.st_ino)
        if key == folder:
            return True
        if key == below:  # the root is its own parent
            return False
        below = key
        here += "/.."
