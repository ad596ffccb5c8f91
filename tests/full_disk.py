"""Disks that are full: as good as full, for the git that writes files, and really so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # which programs that fill a disk need not load
    import pytest

BIG = "0123456789abcdef" * 1000 + "\n"
"""More than there is room for with :func:`cut_git`."""

_CUT = """\
#!/bin/sh
# the real git; while {full} is there, what writes files finds room for a few KiB in each
case " $* " in *" checkout "*|*" checkout-index "*|*" merge "*)
    if [ -e {full} ]; then trap '' XFSZ; ulimit -f 8; fi ;;
esac
exec {git} "$@"
"""
"""A file that would grow beyond the limit (in blocks of 512 bytes, or 1,024) is cut off there, as on a full
disk (setrlimit(2)), and git says as little of it."""


def cut_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file below ``root``; while a test lets it be there, git's disk is as good as full."""
    wrapper = root / "cut" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(_CUT.replace("{git}", str(shutil.which("git"))).replace("{full}", str(root / "full")))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    return root / "full"


@contextmanager
def mounted(disk: Path, mib: int) -> Iterator[Path]:
    """Make a disk of that size at ``disk``, for as long as the body runs. Only root can."""
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, room: int) -> Path:
    """Fill a disk but for ``room`` KiB; return the file that does, which gives the room back when removed."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"0" * 4096):
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size - room * 1024))
    return ballast


@contextmanager
def kept_full(disk: Path) -> Iterator[None]:
    """Fill a disk, and what room comes to be while the body runs: of what was reserved, say."""
    ballast, over = fill(disk, 0), Event()

    def go_on() -> None:
        with ballast.open("ab", buffering=0) as out:
            while not over.wait(0.002):
                with suppress(OSError):
                    while out.write(b"0" * 4096):
                        pass

    filling = Thread(target=go_on)
    filling.start()
    try:
        yield
    finally:
        over.set()
        filling.join()
        ballast.unlink()
