"""(f) A hundred projects: what they cost together while nothing moves, and how long a move takes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median as middle

import psutil

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.idle import processor_seconds
from tests.benchmarks.measure import Row, Section, goal
from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.daemon.ticks import LOOK
from wtwatch.doors.repo import Repo
from wtwatch.project.config import daemon_file, write_project
from wtwatch.project.listing import register, registry_file
from wtwatch.views.kept import file_of
from wtwatch.words.model import Sha

MOVES = 20
PAUSE = 0.1
"""Seconds from one look at a hundred projects to the next."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Watch many small projects at once; the moves are by git, from `git update-ref` to the pointer saved."""
    number, span = (10, 10.0) if quick else (100, 70.0)
    with _registered(grounds.root / "one", 1) as alone, running_daemon(grounds.root):
        eventually(lambda: _watched() > 0)
        single = [_one_move(alone[0], turn) for turn in range(MOVES)]
    with _registered(grounds.root / "many", number) as houses, running_daemon(grounds.root) as daemon:
        eventually(lambda: _watched() >= 4 * number)
        eventually(lambda: all(file_of(f"p{one:03}").exists() for one in range(number)), within=120)
        process = psutil.Process(daemon.pid)
        eventually(lambda: _rests(process), within=300)  # the first looks at all are over
        begin, before = time.monotonic(), processor_seconds(process)
        time.sleep(span)
        share = (processor_seconds(process) - before) / (time.monotonic() - begin) * 100
        moves = [_one_move(houses[number // 2], turn) for turn in range(MOVES)]
        at_once = _all_at_once(houses)
        resident, threads = process.memory_info().rss / 2**20, process.num_threads()
    one, among, slowest = middle(single) * 1000, middle(moves) * 1000, max(at_once)
    few, small, idle = threads <= 8, resident * 2**20 <= 45e6, share <= 0.05
    return [
        Section(
            f"(f) {number} projects, idle for {span:.0f} s, then moved",
            (
                Row("threads", f"{threads}", "", (goal("≤ 8", few),)),
                Row("resident memory", f"{resident:.1f} MiB", "", (goal("≤ 45 MB", small),)),
                Row("processor", f"{share:.4f} %", "", (goal("≤ 0.05 %", idle),)),
                Row(
                    "a move of one among them", f"{among:.0f} ms", "", (goal("as alone", among <= 1.2 * one),)
                ),
                Row("the same where it is the only project", f"{one:.0f} ms", f"{one / among:.2g} ×"),
                Row("all moved at once", f"{slowest:.1f} s", "", (goal("≤ 3 s", slowest <= 3),)),
            ),
        )
    ]


@contextmanager
def _registered(root: Path, number: int) -> Iterator[Sequence[House]]:
    registry_file().unlink(missing_ok=True)
    houses = [House.built(root / f"{one:03}") for one in range(number)]
    for one, house in enumerate(houses):
        write_project(house.project._replace(name=f"p{one:03}"))
        register(f"p{one:03}", house.project.state)
    yield houses
    registry_file().unlink(missing_ok=True)
    shutil.rmtree(root)


def _rests(process: psutil.Process) -> bool:
    """Return whether a process does next to nothing from one full look to the next."""
    before = processor_seconds(process)
    time.sleep(LOOK + 5)
    return processor_seconds(process) - before < 0.2


def _watched() -> int:
    try:
        return int(json.loads(daemon_file().read_text())["watches"])
    except (OSError, ValueError, KeyError):
        return 0


def _next(house: House, text: str) -> Sha:
    return house.commit({"a.py": f"{text}\n"}, bookmark=False)


def _one_move(house: House, turn: int) -> float:
    new = _next(house, f"turn {turn}")
    time.sleep(0.4)  # what came before is over
    begin = time.perf_counter()
    house.git("update-ref", "refs/heads/runs", new)
    while not _is_saved(house, new):
        time.sleep(0.001)
    return time.perf_counter() - begin


def _all_at_once(houses: Sequence[House]) -> list[float]:
    """Move all bookmarks, one right after the other; return when each was saved, from the first move on."""
    wanted = {number: _next(house, "at once") for number, house in enumerate(houses)}
    begin = time.perf_counter()
    saved: dict[int, float] = {}
    for number, house in enumerate(houses):
        house.git("update-ref", "refs/heads/runs", wanted[number])
    while len(saved) < len(houses):
        time.sleep(PAUSE)  # to look takes a processor away from what is measured
        for number, new in wanted.items():
            if number not in saved and _is_saved(houses[number], new):
                saved[number] = time.perf_counter() - begin
    return list(saved.values())


def _is_saved(house: House, new: Sha) -> bool:
    """Whether the run tree's code is at ``new`` and its branch, read off its file, moved for it."""
    run = Repo(house.project.run_tree)
    head = (Repo(house.project.run_code).git_dir() / "HEAD").read_text().strip()
    if head != new:
        return False
    log = (run.common_dir() / "logs" / "refs" / "heads" / "runs").read_text().splitlines()
    return log[-1].endswith(f"code is at {new[:10]}")
