"""Is a change in a folder really heard? Tried out, as file systems promise more than they keep."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from wtwatch.daemon.notice import Bell, Watch

PATIENCE = 2.0
"""Seconds within which an event has to arrive."""


def deafness(folder: Path) -> str | None:
    """Make a file in ``folder`` and take it away again; return why the kernel told nothing of it, if so.

    Raises :class:`OSError` where no file can be made.
    """
    with Watch(Bell(), telling=False) as watch:
        watch.aim([], also=[folder])
        if watch.mode == "polling":
            return watch.why or "there are no events to be had"
        scratch = folder / f"wtwatch-probe-{os.getpid()}"
        try:
            scratch.touch()
            return None if watch.wait(PATIENCE) else f"none came within {PATIENCE:.0f} seconds"
        finally:
            with suppress(OSError):
                scratch.unlink()
