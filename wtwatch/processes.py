"""Processes: which work in a tree, whether one is still the one we knew, and the environment ours get."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.config import Project
from wtwatch.model import Process
from wtwatch.repo import clean_env

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_SHELLS = frozenset(("ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"))
# options of a shell at its prompt that are followed by a word of their own (bash(1), zsh(1), fish(1))
_TAKE_A_WORD = frozenset(("--init-file", "--rcfile", "--init-command", "-C", "-o", "+o", "-O", "+O"))


class Identity(NamedTuple):
    """A process beyond its pid, which the kernel gives out again: pid, start time and boot."""

    pid: int
    started: float
    boot: str


def identity(pid: int) -> Identity | None:
    """Return who ``pid`` is now, or ``None`` if nobody is (a zombie counts as nobody)."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, process.create_time(), _boot())
    except psutil.Error:
        return None


def is_alive(known: Identity) -> bool:
    """Return whether the very process that ``known`` names still runs."""
    present = identity(known.pid)
    # the start time is derived from the boot time, which a clock that is set moves a little
    return present is not None and present.boot == known.boot and abs(present.started - known.started) < 2


def bearing(variable: str, value: str, session: Identity | None = None) -> list[int]:
    """Return the pids of processes that were started with ``variable=value`` in their environment.

    With ``session`` also those in that session, whose leader may be dead: a process that was given a new
    environment is still in it, and one that made itself a session still has the environment.
    """
    import psutil

    if session is not None and (session.boot != _boot() or _is_another(session)):
        session = None
    found = []
    for pid in _pids():
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            ours = process.environ().get(variable) == value
            if not ours and session is not None:
                ours = os.getsid(pid) == session.pid
        except (psutil.Error, OSError):
            continue
        if ours:
            found.append(pid)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are gone by now are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_another(known: Identity) -> bool:
    """Return whether the kernel gave the pid to another process since."""
    return identity(known.pid) is not None and not is_alive(known)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux
        import psutil

        return str(int(psutil.boot_time()))


def tree_env(project: Project) -> dict[str, str]:
    """Return the environment for what runs in the run tree: clean, its own ``.venv`` first on PATH."""
    env = clean_env()
    env["PATH"] = os.pathsep.join([str(project.run_code / ".venv" / "bin"), env["PATH"]])
    return env


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
    if not inside:  # as nearly always: the rest is not worth the import of psutil
        return []
    import psutil

    parents = {parent.pid for parent in psutil.Process().parents()}
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


def _describe(pid: int) -> Process | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid, process.name(), datetime.fromtimestamp(process.create_time(), UTC))
    except psutil.Error:
        return None


def _is_passive(process: Process, passive: Collection[str]) -> bool:
    name = process.name.lstrip("-")
    return name in passive and not (name in _SHELLS and _runs_a_script(process.pid))


def _runs_a_script(shell: int) -> bool:
    words = iter(_words(shell)[1:])
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
    import psutil

    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def datalad_runs_in(tree: Path) -> list[Process]:
    """Return the ``datalad run`` and ``rerun`` processes whose working folder lies in ``tree``."""
    return [process for process in working_in(tree) if _is_datalad_run(process.pid)]


def _is_datalad_run(pid: int) -> bool:
    words = _words(pid)
    return any(Path(word).name == "datalad" for word in words[:3]) and bool({"run", "rerun"} & set(words))
