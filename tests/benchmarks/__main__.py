"""Measure wtwatch beside the tools that it stands in for: ``python -m tests.benchmarks [a … l] [--quick]``.

Prints one Markdown table, with the goals and whether they are met; nothing here fails for being slow. All
projects are made in a folder of their own, in a sealed room, and removed at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from tests.benchmarks import (
    environments,
    holding,
    hooks,
    idle,
    jobs,
    lanes,
    learning,
    looks,
    machine,
    many,
    moves,
    paths,
    pointers,
)
from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, markdown
from tests.room import missing_tools

MEASUREMENTS: dict[str, Callable[[Grounds, bool], list[Section]]] = {
    "a": moves.measure,
    "b": hooks.measure,
    "c": looks.measure,
    "d": pointers.measure,
    "e": idle.measure,
    "f": many.measure,
    "g": paths.measure,
    "h": environments.measure,
    "i": jobs.measure,
    "j": lanes.measure,
    "k": learning.measure,
    "l": holding.measure,
}


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    wanted = _arguments()
    if missing := missing_tools(os.environ):
        print(f"Not on PATH: {', '.join(missing)}. `make bench` brings all.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="wtwatch-bench-", dir=wanted.folder) as folder:
        root = Path(folder).resolve()
        grounds = Grounds.made(root, dict(os.environ))
        os.environ.clear()
        os.environ.update(grounds.env)
        sections: list[Section] = []
        for letter in wanted.letters or MEASUREMENTS:
            with redirect_stdout(sys.stderr):
                print(f"measuring ({letter}) …")
                sections += MEASUREMENTS[letter](grounds, wanted.quick)
        print(markdown(sections))
        print()
        print(machine.described(root))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("letters", nargs="*", metavar="LETTER", help="a to l; all, unless told otherwise")
    parser.add_argument(
        "--quick", action="store_true", help="few turns and small projects: a look, no result"
    )
    parser.add_argument("--folder", type=Path, help="where to work (its file system is what is measured)")
    wanted = parser.parse_args()
    if unknown := set(wanted.letters) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return wanted


sys.exit(main())
