"""What the daemon keeps up to date for who looks in passing: its heartbeat, in a folder of its own.

The folder lies in memory where there is such a place for the user's programs ($XDG_RUNTIME_DIR), so that no
disk is kept awake by it; all find it by the link to it beside the daemon's file.
"""

from __future__ import annotations

import os
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.clock import instant
from wtwatch.project import config

BEAT = 2.0
"""Seconds from one heartbeat to the next."""


class Live:
    """The folder, made anew by each daemon; it must be the only one."""

    def __init__(self) -> None:
        self.folder = config.live_folder()
        self._beaten = float("-inf")
        with suppress(OSError):  # then nobody sees a beat but that of the daemon's own file
            _make(self.folder)

    def beat(self) -> None:
        """Say that the loop turned, if the last time is some while ago: seconds since boot, and the pid."""
        if time.monotonic() < self._beaten + BEAT / 2:
            return
        self._beaten = time.monotonic()
        with suppress(OSError):  # gone, or the disk is full: it is seen to stand still
            _write(self.folder / "beat", f"{int(instant().seconds):>12} {os.getpid():>12}\n")


def _make(folder: Path) -> None:
    """Have an empty folder where ``folder`` is, or where it leads to."""
    target = _in_memory(folder)
    if folder.is_dir():
        for left in folder.iterdir():
            left.unlink()
    if target is None:
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(mode=0o700, exist_ok=True)
        return
    target.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() and folder.readlink() == target:
        return
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    folder.unlink(missing_ok=True)
    folder.symlink_to(target)


def _in_memory(folder: Path) -> Path | None:
    """Return a folder of the user's that is gone after log-out; for each folder of state another."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if not (named.startswith("/") and os.access(named, os.W_OK | os.X_OK)):
        return None
    return Path(named) / f"wtwatch-{zlib.crc32(os.fsencode(folder)):08x}"


def _write(file: Path, text: str) -> None:
    """Write a file of one length in place; no reader sees a part of so few bytes."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, text.encode("ascii"), 0)
    finally:
        os.close(handle)
