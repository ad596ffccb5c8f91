"""Is a change in a folder really heard? Tried out, as file systems promise more than they keep."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from wtwatch.daemon.notice import Bell, Watch

PATIENCE = 2.0
"""Seconds within which an event has to arrive."""


def hears(folder: Path) -> bool:
    """Make a file in ``folder`` and take it away again; return whether the kernel told of it."""
    with Watch(Bell()) as watch:
        watch.aim([], also=[folder])
        if watch.mode == "polling":
            return False
        scratch = folder / f"wtwatch-probe-{os.getpid()}"
        try:
            scratch.touch()
            return watch.wait(PATIENCE)
        finally:
            with suppress(OSError):
                scratch.unlink()
