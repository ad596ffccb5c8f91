"""How very many jobs behave on a cluster, worked out: ``python -m tests.benchmarks.simulated``.

One after the other, as a tick does it, ends are seen, results integrated and lanes given to the next jobs;
what each costs was measured. What a cluster itself makes its users wait is not in it.
"""

from __future__ import annotations

import heapq
import random
from typing import NamedTuple

LOOK = 2.0
"""Seconds between two looks of a tick at the folders of attempts: an end is seen there, without Slurm."""

LATENCY = 0.5
"""Seconds from a submission to the start of a job on a cluster that is free."""


class Costs(NamedTuple):
    """Seconds that a tick takes for a job: to move a lane and submit, and to bring home what came of it."""

    start: float
    integrate: float


PROJECTS = {"1,000 files": Costs(0.08, 0.045), "20,000 files": Costs(0.16, 0.2)}
"""A lane that is reused (60 to 150 ms) and sbatch (11 ms); integration as the goals have it, or better."""


class Day(NamedTuple):
    """What came of it: the hours that all took, and for which share of them a lane computed."""

    hours: float
    busy: float


def simulated(jobs: int, lanes: int, seconds: float, costs: Costs) -> Day:
    """Run jobs that take ``seconds`` on the average, from half to one and a half times that."""
    chance = random.Random(1)
    lengths = [seconds * chance.uniform(0.5, 1.5) for _ in range(jobs)]
    clock, free, waiting, done = 0.0, lanes, iter(lengths), 0
    running: list[float] = []
    while done < jobs:
        began = clock
        while running and running[0] <= clock:  # what has ended by now is brought home
            heapq.heappop(running)
            clock += costs.integrate
            free, done = free + 1, done + 1
        while free and (length := next(waiting, None)) is not None:
            clock += costs.start
            heapq.heappush(running, clock + LATENCY + length)
            free -= 1
        clock = max(clock, began + LOOK)
    return Day(clock / 3600, sum(lengths) / (clock * lanes))


def table(jobs: int = 10_000) -> list[str]:
    """Return a Markdown table of it."""
    lines = [
        "| a job takes | lanes | " + " | ".join(PROJECTS) + " |",
        "| --- | --- |" + " --- |" * len(PROJECTS),
    ]
    for seconds, said in ((10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h")):
        for lanes in (8, 64, 256):
            days = [simulated(jobs, lanes, seconds, costs) for costs in PROJECTS.values()]
            cells = " | ".join(f"{day.hours:,.1f} h, {day.busy:.0%}" for day in days)
            lines.append(f"| {said} | {lanes} | {cells} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
