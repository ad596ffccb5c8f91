"""What Slurm says of all attempts, asked for in a thread: nobody ever waits for a controller that is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from wtwatch.doors import slurm
from wtwatch.doors.slurm import Accounted, Listed
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import now

EVERY = 5.0
"""Seconds between two looks: one squeue each, and one sacct for attempts that it does not have."""

PATIENCE = 0.5
"""Seconds for which a look is waited for, if Slurm answered the last time: it takes some 20 ms."""

FORGOTTEN = 120.0
"""Seconds after which an attempt that nobody asks for any more is not looked for either."""

PAST = timedelta(days=60)
"""For how long the accounting is asked back."""


class Look(NamedTuple):
    """What Slurm said in one look, which began at ``begun`` (monotonic): by name, or why it said nothing.

    ``accounted`` is for those that are not ``listed``, or failed: it has their exit codes; ``None``: there is
    no accounting to be had.
    """

    begun: float
    listed: Mapping[str, Listed] | None
    accounted: Mapping[str, Accounted] | None
    why: str | None = None


class Looks:
    """Looks at the user's jobs of one Slurm, each in a thread, one at a time; any thread may ask."""

    def __init__(self, every: float = EVERY, patience: float = PATIENCE) -> None:
        self._every, self._patience = every, patience
        self._guard = threading.Lock()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._to_end: dict[str, bool] = {}
        self._hurry = False
        self._newest: Look | None = None
        self._thread: threading.Thread | None = None

    def newest(self, names: Sequence[str]) -> Look | None:
        """Return the newest look, ``None`` before there is one; begin another if it is time for it."""
        with self._guard:
            asked = time.monotonic()
            for name in names:
                self._first.setdefault(name, asked)
                self._last[name] = asked
            thread = self._begun(asked)
            trusted = self._newest is None or self._newest.listed is not None
        if thread is not None and trusted:
            thread.join(self._patience)
        return self._newest

    def says_nothing_of(self, name: str, look: Look) -> bool:
        """Return whether a look would have had an attempt, if Slurm did: it was asked for before it began."""
        return self._first.get(name, look.begun) < look.begun

    def forget(self, name: str) -> None:
        """Take no look for one that would have had an attempt unless it begins from now on."""
        with self._guard:
            self._first.pop(name, None)
            self._last.pop(name, None)

    def end(self, names: Sequence[str], force: bool) -> None:
        """Have attempts told to end, or forced, with the next look, which begins now."""
        with self._guard:
            self._to_end |= dict.fromkeys(names, force)
            self._hurry = True
        self.newest(names)

    def _begun(self, asked: float) -> threading.Thread | None:
        """Begin a look, unless one is under way, or the last is not long ago; return that under way."""
        if self._thread is not None and self._thread.is_alive():
            return self._thread
        if self._newest is not None and asked - self._newest.begun < self._every and not self._hurry:
            return None
        self._hurry = False
        for name in [name for name, last in self._last.items() if asked - last > FORGOTTEN]:
            del self._first[name], self._last[name]
        self._thread = threading.Thread(
            target=self._look, args=(tuple(self._first),), name="wtwatch slurm", daemon=True
        )
        self._thread.start()
        return self._thread

    def _look(self, names: Sequence[str]) -> None:
        begun = time.monotonic()
        try:
            listed = {one.name: one for one in slurm.listed()}
            self._end_those_asked(listed)
        except (WtwatchError, OSError) as error:
            self._newest = Look(begun, None, None, f"Slurm does not answer: {_first_line(error)}")
            return
        missing = [name for name in names if name not in listed or listed[name].state == "FAILED"]
        self._newest = Look(begun, listed, _accounted(missing))

    def _end_those_asked(self, listed: Mapping[str, Listed]) -> None:
        """Tell to end what was asked for: by the numbers that their names have in this very moment."""
        with self._guard:
            asked, self._to_end = self._to_end, {}
        for force in (False, True):
            slurm.cancel(
                [listed[name].id for name in asked if asked[name] is force and name in listed], force
            )


def _accounted(names: Sequence[str]) -> dict[str, Accounted] | None:
    if not names:
        return {}
    since = (now() - PAST).date().isoformat()
    try:
        return {one.name: one for one in slurm.accounted(names, since)}
    except (WtwatchError, OSError):
        return None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1].strip()
