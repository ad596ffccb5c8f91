"""(c) How long one waits for `wtwatch status`."""

from __future__ import annotations

import sys

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, command, compared, goal, interleaved, median

OURS = "`wtwatch status`"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Ask in turn for the status of wtwatch, git and DataLad, in run trees of several sizes."""
    return [_at(grounds, files, 5 if quick else 20) for files in ((1000,) if quick else (1000, 20_000))]


def _at(grounds: Grounds, files: int, rounds: int) -> Section:
    lab = grounds.watched(f"looks-{files}", files)
    wtwatch = [sys.executable, "-P", "-m", "wtwatch"]
    with lab.daemon():
        taken = interleaved(
            {
                OURS: lambda: command(*wtwatch, "status", cwd=lab.run),
                "`git status`": lambda: command("git", "status", cwd=lab.run),
                "`datalad status`": lambda: command("datalad", "status", cwd=lab.run),
            },
            rounds,
        )
    goals = {OURS: [goal("≤ 120 ms", median(taken[OURS]) <= 120)]}
    return Section(f"(c) status, {files:,} files", compared(taken, goals))
