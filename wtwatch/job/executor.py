"""What starts the process of an attempt, and can say whether that may still come to something.

The attempt's folder is the truth: an executor never says how a job ended. There are two: this host
(:mod:`wtwatch.job.here`), and a cluster (:mod:`wtwatch.job.slurm`).
"""

import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from wtwatch.job.attempt import Folder
from wtwatch.words.resources import Resources


class Life(Enum):
    """Whether an attempt may still come to something."""

    QUEUED = "queued"  # it has not begun
    ALIVE = "alive"  # its process is at work
    ORPHANED = "orphaned"  # its process is gone, but what that started is not
    GONE = "gone"  # nothing of it runs any more
    UNKNOWN = "unknown"  # nobody can tell from here; never taken for an end


class Seen(NamedTuple):
    """What an executor sees of an attempt; ``reason`` is its own word for why it waits, or is gone."""

    life: Life
    reason: str | None = None


class Handle(NamedTuple):
    """An attempt as an executor finds it again: by its uuid and folder, and by a number of its own."""

    uuid: str
    folder: Folder
    native: str | None = None


def wrapper_of(folder: Folder, shared_host: bool = True) -> list[str]:
    """Return the command that does the attempt of a folder, and detaches itself.

    On another host it stays, and does nothing if somebody did the attempt before. -P: what lies in the run
    tree must not be imported in place of what is meant. -X: its own modules are compiled beside them, like
    those of all other processes of wtwatch, not once more for each tree; what the command imports is not.
    """
    way = "--detach" if shared_host else "--once"
    return [sys.executable, "-P", "-X", "pycache_prefix=", "-m", "wtwatch.job.wrapper", way, str(folder.path)]


class Executor(Protocol):
    """One way to start processes. ``shared_host``: process ids, locks and /proc of this host hold for it."""

    name: str
    shared_host: bool

    def expect(self) -> None:
        """Be told that jobs are due, so that they start quickly; returns at once."""

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        """Have ``command`` run in the folder ``where``; return the handle with the executor's own number.

        An attempt that was submitted before is not submitted again, if the executor has it. Raises
        :class:`~wtwatch.words.errors.Refused` for one that never can be started as it is, and any other
        :class:`~wtwatch.words.errors.WtwatchError` if it cannot be started now: that may be asked again.
        """

    def poll(self, handles: Sequence[Handle]) -> dict[str, Seen]:
        """Return what is seen of each attempt, by uuid; one look for all, which never raises, nor waits."""

    def cancel(self, handles: Sequence[Handle], force: bool) -> None:
        """Tell attempts to end, or make them; to be asked again until they are gone."""
