"""How many gits are started, by git's own word (git-config(1), trace2.eventTarget)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def counted_gits(trace: Path) -> Iterator[Callable[[], int]]:
    """Yield what says how many gits were started in the body so far, gits of gits too.

    ``trace`` is a file for git's words. Variables would not do: wtwatch keeps those of git from its gits.
    """
    trace.unlink(missing_ok=True)
    target = ("git", "config", "--global")
    subprocess.run([*target, "trace2.eventTarget", str(trace)], check=True)
    try:
        yield lambda: _starts(trace)
    finally:
        subprocess.run([*target, "--unset", "trace2.eventTarget"], check=True)


def _starts(trace: Path) -> int:
    return trace.read_text().count('"event":"start"') if trace.exists() else 0
