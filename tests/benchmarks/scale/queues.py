"""Very many jobs: asked for, listed, waited for, and in the way of a tick that has nothing to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, command, goal, median, milliseconds
from tests.gits import counted_gits
from tests.house import House
from tests.lab import Lab
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.model import JobSpec, Trigger

WTWATCH = (sys.executable, "-P", "-m", "wtwatch")
WATCHED = 3.0
"""Seconds for which a `queue wait` is watched."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Queue ten thousand jobs; list them, wait for them, and tick beside them."""
    jobs, rounds = (1000, 3) if quick else (10_000, 10)
    lab = grounds.watched("queue")
    values = ",".join(map(str, range(jobs)))
    words = ("queue", "add", "--yes", "--on-move", "--each", f"n={values}", "--", "true", "{n}")
    adding = command(*WTWATCH, *words, cwd=lab.main)
    listing = [command(*WTWATCH, "queue", "list", cwd=lab.main) for _ in range(rounds)]
    rows = [
        Row(f"`queue add` of {jobs:,}", milliseconds([adding]), "", (goal("≤ 1 s", adding <= 1),)),
        Row(
            "`queue list`, the newest 50",
            milliseconds(listing),
            "",
            (goal("≤ 150 ms", median(listing) <= 150),),
        ),
        _waiting(lab),
        *_ticks(grounds.root / "ticks", jobs, rounds),
    ]
    return [Section(f"queue, {jobs:,} jobs", tuple(rows))]


def _waiting(lab: Lab) -> Row:
    """Watch a `queue wait` while a job runs and nothing else happens; its gits alone are counted."""
    gate, settings = lab.gate("scale-gate"), lab.root / "gitconfig-of-wait"
    settings.write_text((Path.home() / ".gitconfig").read_text(encoding="utf-8"), encoding="utf-8")
    reached = f"touch {gate.file}.reached; while [ ! -e {gate.file} ]; do sleep 0.1; done"
    with lab.daemon():
        lab.wtwatch("queue", "add", "--plain", "--", reached)
        _until(gate.reached)
        os.environ["GIT_CONFIG_GLOBAL"] = str(settings)
        waiting = subprocess.Popen([*WTWATCH, "queue", "wait"], cwd=lab.main, stdout=subprocess.DEVNULL)
        time.sleep(WATCHED)  # it has started and looked
        with counted_gits(lab.root / "trace") as gits:
            time.sleep(WATCHED)
            started = gits()
        del os.environ["GIT_CONFIG_GLOBAL"]
        gate.open()
        waiting.wait(60)
    word = goal("no git while nothing changes", started == 0)
    return Row(f"gits of `queue wait` in {WATCHED:.0f} s", str(started), "", (word,))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError("the job did not start")
        time.sleep(0.05)


def _ticks(root: Path, jobs: int, rounds: int) -> list[Row]:
    """Tick where nothing is to be done: beside no jobs, and beside very many that wait for a move."""
    root.mkdir()
    house = House.built(root)
    options = TickOptions(start_jobs=True)
    tick(house.project, options)
    alone = [_ticked(house, options) for _ in range(5 * rounds)]
    specs = [JobSpec(f"true {number}") for number in range(jobs)]
    Queue(house.project.state).add(specs, Trigger.ON_MOVE, house.head())
    beside = [_ticked(house, options) for _ in range(5 * rounds)]
    more = median(beside) - median(alone)
    return [
        Row("a tick's own work, without jobs, nothing to do", milliseconds(alone)),
        Row(
            "the same beside them",
            milliseconds(beside),
            f"{more:+.1f} ms",
            (goal("own work ≤ 5 ms", median(beside) <= 5),),
        ),
    ]


def _ticked(house: House, options: TickOptions) -> float:
    """Tick once; return the seconds of the processor that it took itself, whatever else the machine does."""
    begin = time.process_time()
    tick(house.project, options)
    return time.process_time() - begin
