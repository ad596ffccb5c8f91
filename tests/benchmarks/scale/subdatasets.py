"""Very many subdatasets, with as few open files as a session usually has: a job's look at them all."""

from __future__ import annotations

import resource
import shutil
import subprocess
import threading
import time
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, goal, median, milliseconds
from tests.house import House
from wtwatch.project.excludes import excludes_env
from wtwatch.tree.states import Before

OPEN_FILES = 1024


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Look at all datasets as directly before a job's command, and count how many gits work at once."""
    number, rounds = (60, 3) if quick else (600, 5)
    house = _built(grounds.root / "subdatasets", number)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    try:
        with _Census() as census:
            taken = [_looked(house) for _ in range(rounds)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    row = Row(
        "wtwatch's look before a job's command",
        milliseconds(taken),
        f"{census.most} at once",
        (goal("≤ 3 s", median(taken) <= 3000), goal("≤ 16 processes at once", census.most <= 16)),
    )
    return [Section(f"a job's start, {number} subdatasets, {OPEN_FILES:,} open files", (row,))]


def _looked(house: House) -> float:
    begin = time.perf_counter()
    state = Before.of(house.project.run_tree, excludes_env(house.tree))
    if len(state.datasets) < 10:
        raise RuntimeError("the subdatasets were not looked at")
    return time.perf_counter() - begin


class _Census:
    """Counts, a thousand times a second, how many children this process has."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._counter = threading.Thread(target=self._count)

    def __enter__(self) -> _Census:
        self._counter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._counter.join()

    def _count(self) -> None:
        while not self._over.wait(0.001):
            children = sum(
                len(tasks.read_text().split()) for tasks in Path("/proc/self/task").glob("*/children")
            )
            self.most = max(self.most, children)


def _built(root: Path, number: int) -> House:
    """Make a house with so many subdatasets in main and run tree, all alike."""
    root.mkdir()
    house = House.built(root)
    main, run = house.project.main_tree, house.project.run_tree
    pattern = root / "pattern"
    pattern.mkdir()
    house.git("init", "-q", "-b", "main", cwd=pattern)
    (pattern / "data.csv").write_text("1\n")
    house.git("add", "data.csv", cwd=pattern)
    house.git("commit", "-q", "-m", "first", cwd=pattern)
    commit = house.head(pattern)
    names = [f"inputs/{at:04}" for at in range(number)]
    for name in names:
        shutil.copytree(pattern, main / name)
    lines = "".join(f"160000 {commit}\t{name}\n" for name in names)
    words = ("git", "update-index", "--index-info")
    subprocess.run(words, cwd=main, input=lines, text=True, check=True)
    house.git("commit", "-q", "-m", "inputs", cwd=main)
    house.git("reset", "-q", "--hard", "main", cwd=run)
    for name in names:
        place = run / name
        if place.exists():
            place.rmdir()
        house.git("worktree", "add", "-q", "--detach", str(place), cwd=main / name)
    return house
