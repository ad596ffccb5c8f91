"""(h) What a look at an environment costs: whence it imports, what it holds, whether files were altered."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, compared, goal, interleaved, median
from tests.house import House
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment import installed, stamps

PACKAGES, FILES = 160, 150
BELONGS, HOLDS, ALTERED = "where it imports from", "what it holds, a digest", "whether files were altered"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Look at an environment of 160 packages and 24,000 files."""
    tree = House.built(grounds.root / "environment").tree
    _fill(tree.prefix)
    stamps.note(tree)
    ways = {BELONGS: _belongs(tree), HOLDS: _holds(tree.prefix), ALTERED: _altered(tree)}
    taken = interleaved(ways, 5 if quick else 30)
    goals = {
        HOLDS: [goal("≤ 20 ms", median(taken[HOLDS]) <= 20)],
        ALTERED: [goal("≤ 200 ms", median(taken[ALTERED]) <= 200)],
    }
    title = f"(h) an environment of {PACKAGES} packages, {PACKAGES * FILES:,} files"
    return [Section(title, compared(taken, goals))]


def _timed(act: Callable[[], object]) -> Way:
    def once() -> float:
        begin = time.perf_counter()
        act()
        return time.perf_counter() - begin

    return once


def _belongs(tree: RunTree) -> Way:
    return _timed(lambda: installed.wrong(installed.read(tree.prefix), tree))


def _holds(prefix: Path) -> Way:
    def once() -> str:
        installed.forget_digests()  # as in a process that looks for the first time
        return installed.read(prefix).fingerprint()

    return _timed(once)


def _altered(tree: RunTree) -> Way:
    return _timed(lambda: stamps.altered(tree))


def _fill(prefix: Path) -> None:
    """Install packages that are all alike: 10 folders of modules each, with their RECORD."""
    site = prefix / "lib" / "python3.11" / "site-packages"
    for number in range(PACKAGES):
        name, record = f"package{number}", []
        for file in range(FILES):
            path = f"{name}/part{file % 10}/module{file}.py"
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text("x = 1\n")
            digest = base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).decode()
            record.append(f"{path},sha256={digest},6\n")
        info = site / f"{name}-1.dist-info"
        info.mkdir()
        (info / "RECORD").write_text("".join(record))
        (info / "WHEEL").write_text("Root-Is-Purelib: true\n")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to("/bin/true")
