"""Processes: which work in a tree, whether one is still the one we knew, and the environment ours get."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from wtwatch.config import Project
from wtwatch.model import Process
from wtwatch.repo import clean_env

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process beyond its pid, which the kernel gives out again: pid, start time and boot."""

    pid: int
    started: float
    boot: str


def identity(pid: int) -> Identity | None:
    """Return who ``pid`` is now, or ``None`` if nobody is (a zombie counts as nobody)."""
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


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux
        return str(int(psutil.boot_time()))


def tree_env(project: Project) -> dict[str, str]:
    """Return the environment for what runs in the run tree: clean, its own ``.venv`` first on PATH."""
    env = clean_env()
    env["PATH"] = os.pathsep.join([str(project.run_code / ".venv" / "bin"), env["PATH"]])
    return env


def working_in(tree: Path, passive: Collection[str] = (), ignore: Collection[int] = ()) -> list[Process]:
    """Return the processes whose working folder lies in ``tree``, oldest first.

    Folders are compared by device and inode, through all parents, since a bind mount shows other paths.
    This process, its parents, processes named in ``passive`` and pids in ``ignore`` are left out; other
    users' processes cannot be seen (proc(5)).
    """
    try:
        found = tree.stat()
    except OSError:
        return []
    wanted = (found.st_dev, found.st_ino)
    ours = {os.getpid(), *ignore}
    ours.update(parent.pid for parent in psutil.Process().parents())
    known: dict[tuple[int, int], bool] = {}
    present = []
    for pid in psutil.pids():
        if pid not in ours and _stands_in(f"/proc/{pid}/cwd", wanted, known):
            process = _describe(pid)
            if process is not None and not _is_passive(process.name, passive):
                present.append(process)
    return sorted(present, key=lambda process: (process.since, process.pid))


def _stands_in(link: str, wanted: tuple[int, int], known: dict[tuple[int, int], bool]) -> bool:
    passed: list[tuple[int, int]] = []
    here = link
    verdict = False
    while True:
        try:
            stat = os.stat(here)  # noqa: PTH116 - Path would fold the ..
        except OSError:
            break
        key = (stat.st_dev, stat.st_ino)
        if key in known:
            verdict = known[key]
            break
        if key == wanted:
            verdict = True
            break
        if passed and key == passed[-1]:  # the root is its own parent
            break
        passed.append(key)
        here += "/.."
    known.update(dict.fromkeys(passed, verdict))
    return verdict


def _describe(pid: int) -> Process | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid, process.name(), datetime.fromtimestamp(process.create_time(), UTC))
    except psutil.Error:
        return None


def _is_passive(name: str, passive: Collection[str]) -> bool:
    return name.lstrip("-") in passive


def datalad_runs_in(tree: Path) -> list[Process]:
    """Return the ``datalad run`` and ``rerun`` processes whose working folder lies in ``tree``."""
    return [process for process in working_in(tree) if _is_datalad_run(process.pid)]


def _is_datalad_run(pid: int) -> bool:
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return any(Path(word).name == "datalad" for word in words[:3]) and bool({"run", "rerun"} & set(words))
