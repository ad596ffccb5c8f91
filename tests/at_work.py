"""Real processes for tests that look at processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.lab import eventually


@contextmanager
def at_work(
    folder: Path, *command: str | Path, name: str | None = None, tty: bool = False, words: bool = True
) -> Iterator[psutil.Process]:
    """Start a command that reads its stdin, and hold it there until the body ends.

    The body begins when the process has become the program ``name`` (default: that of the command), and the
    kernel has its ``words`` too, which come a moment later. ``tty``: its stdin is a terminal.
    """
    ours, theirs = os.openpty() if tty else os.pipe()[::-1]
    try:
        with subprocess.Popen([*map(str, command)], cwd=folder, stdin=theirs) as process:
            try:
                known = psutil.Process(process.pid)
                eventually(lambda: known.name() == (name or Path(command[0]).name))
                eventually(lambda: known.cmdline() or not words)
                yield known
            finally:
                process.kill()
    finally:
        os.close(ours)
        os.close(theirs)


def words_of(process: psutil.Process) -> list[str]:
    """Return the words that a process was started with; none of one that ended, be it this very moment."""
    with suppress(psutil.NoSuchProcess):  # a zombie, too
        return process.cmdline()
    return []


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process is over; nobody need have asked for its exit code yet."""
    with suppress(psutil.NoSuchProcess):
        return process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return True
