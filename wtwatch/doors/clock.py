"""How long ago something was, though somebody sets the clock on the wall in between."""

import time
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Instant(NamedTuple):
    """A moment as this machine counts: ``seconds`` since its start ``boot``, the time it slept included."""

    boot: str
    seconds: float


def instant() -> Instant:
    """Return the present moment (clock_gettime(2), CLOCK_BOOTTIME)."""
    return Instant(boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME))


def elapsed(since: Instant) -> float | None:
    """Return the seconds since a moment; ``None`` for one of another start of the machine, or yet to come."""
    present = instant()
    if since.boot != present.boot or since.seconds > present.seconds:
        return None
    return present.seconds - since.seconds


def boot_id() -> str:
    """Return what tells this start of the machine from all others (random(4)); empty where it is hidden."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # as in some containers
        return ""
