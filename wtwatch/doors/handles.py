"""Thousands of open files beside those of a process, and without a change for what it starts.

A limit (getrlimit(2), RLIMIT_NOFILE) counts when a descriptor is made, for its number, and not later; new
ones get the lowest number that is free.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

FEW = 100
"""So many descriptors may be among a process's others."""

_LOW = 1024
"""Numbers that are left to the process: select(2) knows no others."""

_MOST = 1 << 20
"""Descriptors that a process may have where no limit is set (/proc/sys/fs/nr_open, as it comes)."""


@contextmanager
def above_others(wanted: int) -> Iterator[None]:
    """Have descriptors that are opened in the body lie above those that this process may need later.

    ``wanted`` are so many. The soft limit is raised for the body alone, towards the hard one, so that there
    may be fewer: then opening fails, with EMFILE.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else hard
    own = most if soft == resource.RLIM_INFINITY else soft
    if wanted <= FEW and own >= _LOW:
        yield
        return
    low = min(own, _LOW, max(most - wanted, most // 4))
    fillers = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
    try:
        if (raised := min(most, low + wanted + FEW)) > own:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        while fillers[-1] < low - 1:
            fillers.append(os.dup(fillers[0]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


def close_others(kept: Collection[int]) -> None:
    """Close what this process has open besides ``kept`` and the three that every process has."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in kept:
            with suppress(OSError):  # the one that this listing had
                os.close(int(name))
