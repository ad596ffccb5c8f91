"""Processes: which work in a tree, and whether one is still the one we knew.

Straight from ``/proc`` (proc(5)): a status while a job runs would wait 25 ms for the import of psutil.
"""

import os
import signal
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.clock import boot_id
from wtwatch.words.model import Process

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 15  # characters of a name that the kernel keeps

_SHELLS = frozenset(("ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"))
# options of a shell at its prompt that are followed by a word of their own (bash(1), zsh(1), fish(1))
_TAKE_A_WORD = frozenset(("--init-file", "--rcfile", "--init-command", "-C", "-o", "+o", "-O", "+O"))


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
    in_session = {pid for pid in _pids() if leader is not None and session(pid) == leader.pid}
    marked = {pid for pid in _pids() if bears(pid, variable, value)}
    return sorted(pid for pid in in_session | marked if _stat(pid) is not None)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are gone by now are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


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
    words = rest.split()  # from the third field on, which is the state
    if words[0] in ("Z", "X"):
        return None
    return _Stat(name, int(words[1]), int(words[19]))


def session(pid: int) -> int | None:
    """Return the session that ``pid`` is in, as the pid of its leader; ``None`` if nobody is there."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _entries(pid: int, file: str) -> list[bytes]:
    """Return what ``/proc/PID/cmdline`` or ``environ`` holds; nothing where it may not be read."""
    try:
        text = Path(f"/proc/{pid}/{file}").read_bytes().rstrip(b"\0")
    except OSError:
        return []
    return text.split(b"\0") if text else []


def serves(pid: int, master: int) -> bool:
    """Return whether ``pid`` works for ``master``, from whom it descends within its session, or is over."""
    return _stat(pid) is None or (master in _parents(pid) and session(pid) == session(master))


def working_in(tree: Path, passive: Collection[str] = (), ignore: Collection[int] = ()) -> list[Process]:
    """Return the processes whose working folder lies in ``tree``, oldest first.

    Folders are compared by device and inode, through all parents, since a bind mount shows other paths.
    This process, its parents, processes named in ``passive`` and pids in ``ignore`` are left out, but a
    shell is passive only at its prompt: one that runs a script is a batch, also between two of its
    commands. Other users' processes cannot be seen (proc(5)).
    """
    try:
        found = tree.stat()
    except OSError:
        return []
    wanted = (found.st_dev, found.st_ino)
    ours = {os.getpid(), *ignore}
    inside = [pid for pid in _pids() if pid not in ours and _stands_in(f"/proc/{pid}/cwd", wanted)]
    if not inside:  # as nearly always
        return []
    parents = set(_parents(os.getpid()))
    described = [_describe(pid) for pid in inside if pid not in parents]
    present = [process for process in described if process and not _is_passive(process, passive)]
    return sorted(present, key=lambda process: (process.since, process.pid))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names alone


def _stands_in(link: str, wanted: tuple[int, int]) -> bool:
    # No verdict is kept from one process to the next: in a bind mount the same folder has another parent.
    here = link
    below = None
    while True:
        try:
            stat = os.stat(here)  # noqa: PTH116 - Path would fold the ..
        except OSError:
            return False
        key = (stat.st_dev, stat.st_ino)
        if key == wanted:
            return True
        if key == below:  # the root is its own parent
            return False
        below = key
        here += "/.."


def _parents(pid: int) -> Iterator[int]:
    while (found := _stat(pid)) is not None:
        pid = found.parent
        yield pid


def _describe(pid: int) -> Process | None:
    found = _stat(pid)
    if found is None:
        return None
    name = found.name
    if len(name) == _LONGEST:
        programs = (Path(word).name for word in _words(pid)[:2])  # of a script: its interpreter, then itself
        name = next((program for program in programs if program.startswith(name)), name)
    return Process(pid, name, datetime.fromtimestamp(_booted() + found.ticks / _TICKS, UTC))


def _is_passive(process: Process, passive: Collection[str]) -> bool:
    name = process.name.lstrip("-")
    return name in passive and not (name in _SHELLS and _runs_a_script(process.pid))


def _runs_a_script(shell: int) -> bool:
    said = _words(shell)
    if not said:  # it has only just become a shell: the kernel has its name before its words
        return True
    words = iter(said[1:])
    for word in words:
        if word in _TAKE_A_WORD:
            next(words, None)
        elif word.startswith("--"):
            if word.startswith("--command"):
                return True
        elif not word.startswith(("-", "+")) or "c" in word:
            return True
    return False


def _words(pid: int) -> list[str]:
    return [os.fsdecode(word) for word in _entries(pid, "cmdline")]


def datalad_runs_in(tree: Path) -> list[Process]:
    """Return the ``datalad run`` and ``rerun`` processes whose working folder lies in ``tree``."""
    return [process for process in working_in(tree) if _is_datalad_run(process.pid)]


def _is_datalad_run(pid: int) -> bool:
    words = _words(pid)
    return any(Path(word).name == "datalad" for word in words[:3]) and bool({"run", "rerun"} & set(words))
