"""Holding off `git gc` while something is saved: what nothing names yet is what it takes away.

One that prunes without a grace (git-gc(1), --prune=now) would take the blobs and trees of a commit that is
being made, and of git-annex's own index, which is broken for good then (both seen with git 2.39 and git-annex
10). Git lets one gc into a repository at a time, by `gc.pid` with its process and host (builtin/gc.c). So
whoever saves has that file meanwhile; several of ours share it, and hand it on.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from wtwatch.doors.processes import Identity, identity, is_alive

LIMIT = 600.0
"""Seconds that a gc which is at work already is waited for."""

LOOK = 0.05
"""Seconds between two looks."""

SILENT = 1.0
"""Seconds of waiting of which nobody is told."""

LASTING = 1.0
"""Seconds after which a lock of git belongs to nobody that lives."""


@contextmanager
def held_off(
    repositories: Iterable[Path], limit: float = LIMIT, tell: Callable[[int], None] = lambda _: None
) -> Iterator[None]:
    """Keep `git gc` out of repositories, given by their shared git directories, while the body runs.

    One at work is waited for, for ``limit`` seconds; after that, and where we may not write, the body runs
    all the same. ``tell`` is told of its process once that takes a while.
    """
    with ExitStack() as stack:
        for common in dict.fromkeys(repositories):
            stack.enter_context(_held_off(common, limit, tell))
        yield


@contextmanager
def _held_off(common: Path, limit: float, tell: Callable[[int], None]) -> Iterator[None]:
    myself = identity(os.getpid())
    assert myself is not None
    begin, told = time.monotonic(), False
    with suppress(OSError):
        (common / "wtwatch").mkdir(exist_ok=True)
        while not _enter(common, myself) and time.monotonic() < begin + limit:
            time.sleep(LOOK)
            if not told and time.monotonic() > begin + SILENT and (pid := _holder(common)):
                tell(pid)
                told = True
    try:
        yield
    finally:
        with suppress(OSError):
            _leave(common, myself)


def _enter(common: Path, myself: Identity) -> bool:
    """Join those who save in a repository; ``False`` while a gc that is none of ours is at work there."""
    with _list(common) as savers:
        at_work = _holder(common)
        ours = {one.pid for one in savers}
        if at_work is not None and at_work not in ours:
            return False
        if at_work is None:
            _hold(common, myself.pid)
            _await_decision(common)
            if _holder(common) != myself.pid:  # git was quicker
                return False
        savers.append(myself)
    return True


def _leave(common: Path, myself: Identity) -> None:
    with _list(common) as savers:
        if myself in savers:
            savers.remove(myself)
        if _holder(common) == myself.pid:
            if savers:
                _hold(common, savers[0].pid)
            else:
                (common / "gc.pid").unlink(missing_ok=True)


def _holder(common: Path) -> int | None:
    """Return the living process of this host that git takes for a gc."""
    with suppress(OSError, ValueError):
        pid, _, host = (common / "gc.pid").read_text().partition(" ")
        if host.strip() == os.uname().nodename:
            os.kill(int(pid), 0)
            return int(pid)
    return None


def _hold(common: Path, pid: int) -> None:
    """Have git take a process for a gc. Killed at any moment, this leaves nothing that git waits for."""
    draft = common / "wtwatch" / "gc.pid"
    draft.write_text(f"{pid} {os.uname().nodename}")
    draft.replace(common / "gc.pid")


def _await_decision(common: Path) -> None:
    """Wait for a git that has looked whether a gc is at work, and is about to write that it is one.

    It holds a lock for less than a millisecond; one that lasts for a second belongs to nobody.
    """
    deadline = time.monotonic() + LASTING
    while (common / "gc.pid.lock").exists() and time.monotonic() < deadline:
        time.sleep(0.005)


@contextmanager
def _list(common: Path) -> Iterator[list[Identity]]:
    """Hold the list of those who save in a repository, and live; write it back as it is then.

    Blanks go over the rest of a longer one: ext4 has a file that is cut to nothing written out at once.
    """
    handle = os.open(common / "wtwatch" / "saving", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with os.fdopen(handle, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        was = file.read()
        savers: list[Identity] = []
        with suppress(ValueError, TypeError):
            savers = [one for one in (Identity(*facts) for facts in json.loads(was)) if is_alive(one)]
        yield savers
        file.seek(0)
        file.write(json.dumps(savers).ljust(len(was)))
