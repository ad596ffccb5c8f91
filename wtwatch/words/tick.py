"""A tick in values: how it is to be done, and what it did."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wtwatch.words.model import Backup, Job, Process, Sha, SyncDone

Work = Callable[[Callable[[], bool]], bool]
"""What takes long. It is given whom to ask whether it shall stop, and returns whether it came to its end."""


class Beside(Protocol):
    """Who does what takes too long for a tick, beside it, when the run tree's lock is free again."""

    @property
    def again_in(self) -> float | None:
        """In how many seconds to tick again for what it does not take on now; ``None``: it asks for that."""

    def takes(self, what: str) -> bool:
        """Return whether it would do the work of that name now."""

    def take(self, what: str, work: Work) -> None:
        """Do it, once the tick is over. Raises nothing."""


class TickOptions(NamedTuple):
    """How a tick is to be done.

    ``start_jobs``: the daemon's; ``force``: back up, then move; ``hurry``: do not wait for the bookmark to be
    still; ``ignore``: pids that do not count as busy; ``patience``: seconds to wait for another command or
    tick that works on the run tree; ``stop`` is asked during a long set-up; ``after_failure``: the last tick
    failed, so its reason stays in sight while this one only waits for somebody. ``from_main``: what main has
    and the run tree lacks is to come now. ``beside`` does what takes long; without it the tick does so at its
    end.
    """

    start_jobs: bool = False
    force: bool = False
    hurry: bool = False
    ignore: tuple[int, ...] = ()
    patience: float = 0.0
    stop: Callable[[], bool] = lambda: False
    after_failure: bool = False
    from_main: bool = False
    beside: Beside | None = None


class Done(NamedTuple):
    """What a tick did, and what it waits for.

    ``beside`` are jobs in lanes that it found to have ended, or started, as they stand now, and such as were
    spared a run; ``put_back``
    those that are to run once more, and why.
    ``brought`` is how many files came from main, ``unbrought`` why they did not, and the way out.
    ``gave_way`` is a batch that did, and the one in which what it had left goes on.
    ``again_in`` is when the next tick is due without any event, in seconds.
    """

    moved: SyncDone | None = None
    backup: Backup | None = None
    pointer: Sha | None = None
    ended: Job | None = None
    started: Job | None = None
    fired: tuple[int, ...] = ()
    waits: str | None = None
    hint: str | None = None
    busy: tuple[Process, ...] = ()
    again_in: float | None = None
    brought: int = 0
    unbrought: tuple[str, str] | None = None
    gave_way: tuple[int, int] | None = None
    beside: tuple[Job, ...] = ()
    put_back: tuple[tuple[Job, str], ...] = ()
