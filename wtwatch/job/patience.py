"""What saving a result waits for: not without end, and not without a word.

git-annex waits so for whoever holds the lock of its journal, which it takes with each change that it notes
(journal.lck of its "internals", fcntl(2)). We wait for a `git gc` (:mod:`wtwatch.doors.gc`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from wtwatch.doors import annexlocks
from wtwatch.doors.processes import describe
from wtwatch.job.saying import say

LIMIT = 60.0
"""Seconds that one other process may hold the lock."""

LOOK = 0.5
"""Seconds between two looks."""


class Waited:
    """Whether somebody held a lock for too long; ``why`` names who."""

    why: str | None = None


@contextmanager
def limited(
    locks: Sequence[Path], ours: Callable[[], Sequence[int]], stop: Callable[[], None], limit: float = LIMIT
) -> Iterator[Waited]:
    """While the body runs, call ``stop`` once a process that is not ``ours`` has held a lock for ``limit``.

    In seconds. What is yielded then says which lock that is, and who has it.
    """
    waited, over = Waited(), Event()

    def look() -> None:
        since: dict[tuple[Path, int], float] = {}
        while not over.wait(min(LOOK, limit)):
            held = {(lock, pid) for lock in locks if (pid := holder(lock)) and pid != os.getpid()}
            since = {one: since.get(one, monotonic()) for one in held}
            late = [one for one, begin in since.items() if monotonic() - begin >= limit]
            if late and (late := [one for one in late if one[1] not in ours()]):
                lock, pid = late[0]
                who = describe(pid)
                waited.why = (
                    f"{who.name if who else 'a process'} (pid {pid}) has held {lock} for {limit:.0f} s"
                )
                stop()
                return

    watching = Thread(target=look, name="patience", daemon=True)
    watching.start()
    try:
        yield waited
    finally:
        over.set()
        watching.join()


def tell_of_gc(pid: int) -> None:
    """Say in the log for which `git gc` a result waits."""
    say(f"The command is done. What it made is saved as soon as git has cleaned up: git gc, process {pid}.")


def holder(lock: Path) -> int:
    """Return the process that has a lock of git-annex, 0 if none has or that cannot be seen."""
    with suppress(OSError):
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return annexlocks.holder(handle)
        finally:
            os.close(handle)
    return 0
