"""A tick in values: how it is to be done, and what it did."""

from collections.abc import Callable
from typing import NamedTuple

from wtwatch.words.model import Backup, Job, Process, Sha, SyncDone


class TickOptions(NamedTuple):
    """How a tick is to be done.

    ``start_jobs``: the daemon's; ``force``: back up, then move; ``hurry``: do not wait for the bookmark to be
    still; ``ignore``: pids that do not count as busy; ``patience``: seconds to wait for another command or
    tick that works on the run tree; ``stop`` is asked during a long set-up; ``after_failure``: the last tick
    failed, so its reason stays in sight while this one only waits for somebody. ``from_main``: what main has
    and the run tree lacks is to come now.
    """

    start_jobs: bool = False
    force: bool = False
    hurry: bool = False
    ignore: tuple[int, ...] = ()
    patience: float = 0.0
    stop: Callable[[], bool] = lambda: False
    after_failure: bool = False
    from_main: bool = False


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
