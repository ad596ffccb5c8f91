"""What a tick's work on lanes is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, Sha
from wtwatch.words.tick import Beside, TickOptions, Work


def _nobody(job: Job, over: Ended) -> None:
    """Record nothing, where no end is looked for."""


def _told(job: Job, why: str) -> None:
    """Tell nobody."""


class AtOnce:
    """Takes on one thing that takes long, for the end of the tick, where nobody does it beside."""

    again_in = 0.0

    def __init__(self) -> None:
        self.work: Work | None = None

    def takes(self, what: str) -> bool:
        """Return whether nothing was taken yet."""
        return self.work is None

    def take(self, what: str, work: Work) -> None:
        """Keep it for the end of the tick."""
        self.work = work


class Nobody:
    """Takes nothing on: what takes long waits until the run tree is free."""

    again_in = None

    def takes(self, what: str) -> bool:
        """Return that it does not."""
        return False

    def take(self, what: str, work: Work) -> None:
        """Do nothing, as nobody asks for it."""


class Ground(NamedTuple):
    """Where jobs start while somebody else has the run tree: it need not be there any more.

    ``base`` is the commit of the superdataset, which has the code ``code_sha``; of the ``batch`` alone.
    """

    base: Sha
    code_sha: Sha
    batch: int


class Turn(NamedTuple):
    """The run tree beside which the lanes are, its queue, and how the tick is to be done.

    ``record`` is told how a job ended, and puts that into the queue; ``again`` which one waits once more, and
    why. ``beside`` does what takes long. ``ground`` is where jobs start; ``None``: where the run tree is.
    """

    tree: RunTree
    queue: Queue
    options: TickOptions
    beside: Beside
    record: Callable[[Job, Ended], None] = _nobody
    again: Callable[[Job, str], None] = _told
    ground: Ground | None = None
