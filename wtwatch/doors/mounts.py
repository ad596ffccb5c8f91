"""Which file system lies where."""

from __future__ import annotations

import os
from pathlib import Path


def filesystem(device: int, mounts: str | None = None) -> str | None:
    """Return the type of the file system on ``device`` (``st_dev`` of stat(2)), or ``None`` if unknown.

    ``mounts`` is in the form of ``/proc/self/mountinfo`` (proc(5)), which is read where it is not given.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # not Linux
            return None
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == number:
            return kind.split()[0]
    return None
