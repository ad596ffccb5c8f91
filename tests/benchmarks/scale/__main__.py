"""Measure how wtwatch bears much of everything: ``python -m tests.benchmarks.scale [WORD …] [--quick]``.

Ten thousand jobs and as many results, twenty thousand result files, two hundred backups, six hundred
subdatasets, five thousand pointer commits. Prints one Markdown table, with the goals and whether they are
met; nothing here fails for being slow. All is made in a folder of its own, in a sealed room, and removed at
the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, markdown
from tests.benchmarks.scale import anew, history, queues, results, subdatasets
from tests.room import missing_tools

MEASUREMENTS: dict[str, Callable[[Grounds, bool], list[Section]]] = {
    "queue": queues.measure,
    "merge": results.measure,
    "stale": anew.measure,
    "backups": history.measure_backups,
    "pointers": history.measure_pointers,
    "subdatasets": subdatasets.measure,
}


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help=f"of {', '.join(MEASUREMENTS)}; default: all"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: a look, no result")
    parser.add_argument("--folder", type=Path, help="where to work (its file system is what is measured)")
    wanted = parser.parse_args()
    if unknown := set(wanted.words) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    missing = [tool for tool in missing_tools(os.environ) if tool != "jj"]
    if missing:
        print(f"Not on PATH: {', '.join(missing)}. `make bench-scale` brings all.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="wtwatch-scale-", dir=wanted.folder) as folder:
        root = Path(folder).resolve()
        grounds = Grounds.made(root, dict(os.environ))
        os.environ.clear()
        os.environ.update(grounds.env)
        sections: list[Section] = []
        for word in wanted.words or MEASUREMENTS:
            with redirect_stdout(sys.stderr):
                print(f"measuring {word} …")
                sections += MEASUREMENTS[word](grounds, wanted.quick)
        print(markdown(sections))
        print()
        print(machine.described(root))
    return 0


sys.exit(main())
