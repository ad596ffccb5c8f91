"""Measure what is lost on the way to the bookmark: ``python -m tests.benchmarks.loss [WORD …] [--readme]``.

Plays every situation whose name has one of the words (default: all) in both modes and in four ways, each in a
project of its own, and prints a Markdown table with sums. Exit code 1: wtwatch lost something, or was not at
the tip after `sync --force` for no named reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.loss import matrix, table
from tests.benchmarks.loss.scene import MODES
from tests.benchmarks.loss.situations import SITUATIONS
from tests.benchmarks.loss.ways import WAYS
from tests.room import missing_tools


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    wanted = _arguments()
    if "git" in missing_tools(os.environ):
        print("git is not on PATH.", file=sys.stderr)
        return 1
    names = [
        name
        for name, situation in SITUATIONS.items()
        if situation.possible() and (not wanted.words or any(word in name for word in wanted.words))
    ]
    jobs = [(name, mode, way) for name in names for mode in MODES for way in WAYS]
    print(f"playing {len(names)} situations in {len(jobs)} cells …", file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wtwatch-loss-", dir=wanted.folder) as folder:
        cells = []
        for cell in matrix.played(Path(folder).resolve(), jobs, wanted.workers):
            cells.append(cell)
            if fault := table.fault(cell):
                print(f"\nNot as promised: {fault}", file=sys.stderr)
    parts = [table.sums(cells), table.differences(cells) if wanted.readme else table.whole(cells)]
    parts.append("° not at the tip afterwards.\n" + table.exceptions())
    parts.append(f"{len(names)} situations in both modes, {time.monotonic() - began:.0f} s.")
    print("\n\n".join(parts))
    return 1 if any(map(table.fault, cells)) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.loss", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only situations with this in their name")
    parser.add_argument("--readme", action="store_true", help="the rows in which the ways differ, grouped")
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many at once")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
