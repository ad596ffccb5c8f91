"""What starts the process of an attempt, and can say whether that may still come to something.

The attempt's folder is the truth: an executor never says how a job ended. There is one so far, this host
(:mod:`wtwatch.job.here`).
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from wtwatch.job.attempt import Folder


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


class Resources(NamedTuple):
    """What an attempt asks for: processors, MB of memory, minutes, graphics cards; ``None``: as it comes."""

    cpus: int | None = None
    mem: int | None = None
    minutes: int | None = None
    gpus: int | None = None
    partition: str | None = None
    extra: tuple[str, ...] = ()


class Executor(Protocol):
    """One way to start processes. ``shared_host``: process ids, locks and /proc of this host hold for it."""

    name: str
    shared_host: bool

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        """Have ``command`` run in the folder ``where``; return the handle with the executor's own number.

        Raises :class:`~wtwatch.words.errors.WtwatchError` if it cannot be started.
        """

    def poll(self, handles: Sequence[Handle]) -> dict[str, Seen]:
        """Return what is seen of each attempt, by uuid; one look for all, which never raises."""

    def cancel(self, handles: Sequence[Handle], force: bool) -> None:
        """Tell attempts to end, or make them; to be asked again until they are gone."""
