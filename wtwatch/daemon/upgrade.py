"""Notice that another version of wtwatch was installed in the place of the one that runs.

All that a tick needs is imported at the start, so nothing of two versions is mixed; but what was mended is to
run, and jobs are started with what is installed. So the daemon ends its ticks and lets the new version go on.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import wtwatch

EVERY = 10.0
"""Seconds between two looks at the installed files."""

_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_log = logging.getLogger("wtwatch")


class Upgrade:
    """What is installed, against what runs; looked at in one thread.

    ``folder`` is where this process was started in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = Path(wtwatch.__file__)
        self._stamp = _stamp(self._file)
        self._next = 0.0
        self._told = ""

    def is_ready(self) -> bool:
        """Return whether another version is there and starts; asks the files every :data:`EVERY` seconds."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + EVERY
        stamp = _stamp(self._file)
        if stamp in (self._stamp, None):  # as it was, or in the midst of an installation
            return False
        version = self._installed()
        if version in (None, wtwatch.__version__):
            self._stamp = stamp
            return False
        if not _starts(version, self._folder):  # not all of it is there yet; the next look asks again
            self._tell(f"wtwatch {version} is installed, but does not start; {wtwatch.__version__} goes on")
            return False
        self._tell(f"wtwatch {version} is installed, and takes over from {wtwatch.__version__}")
        return True

    def _installed(self) -> str | None:
        try:
            found = _VERSION.search(self._file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return None
        return found[1] if found else None

    def _tell(self, text: str) -> None:
        if text != self._told:
            _log.warning("%s", text)
            self._told = text


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _starts(version: str | None, folder: Path) -> bool:
    """Return whether the command that started this process brings that version up now."""
    asked = [sys.executable, *sys.orig_argv[1:], "--version"]  # which loads all that `watch` needs
    try:
        answer = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.split()[-1:] == [version]
