"""Which gits are started, by git's own word (git-config(1), trace2.eventTarget)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def counted_gits(trace: Path) -> Iterator[Callable[[], int]]:
    """Yield what says how many gits were started in the body so far, gits of gits too.

    ``trace`` is a file for git's words. Variables would not do: wtwatch keeps those of git from its gits.
    """
    with traced_gits(trace) as started:
        yield lambda: len(started())


@contextmanager
def traced_gits(trace: Path) -> Iterator[Callable[[], list[list[str]]]]:
    """Yield what says which gits those were: the words of each, in the order in which they began."""
    trace.unlink(missing_ok=True)
    target = ("git", "config", "--global")
    subprocess.run([*target, "trace2.eventTarget", str(trace)], check=True)
    try:
        yield lambda: _started(trace)
    finally:
        subprocess.run([*target, "--unset", "trace2.eventTarget"], check=True)


def _started(trace: Path) -> list[list[str]]:
    lines = trace.read_text().splitlines() if trace.exists() else []
    return [json.loads(line)["argv"] for line in lines if '"event":"start"' in line]
