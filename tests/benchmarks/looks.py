"""(c) How long one waits for `wtwatch status`."""

from __future__ import annotations

import sys

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, command, compared, goal, interleaved, median
from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.project.config import write_project
from wtwatch.project.listing import register, registry_file
from wtwatch.views.kept import file_of

OURS = "`wtwatch status`"

MANY = 100
"""Projects that one daemon watches."""

GOALS = {1000: 30, 20_000: 40}
"""Milliseconds by the number of files, on a machine like that of the README."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Ask in turn for the status of wtwatch, git and DataLad, in run trees of several sizes."""
    sizes = [_at(grounds, files, 5 if quick else 20) for files in ((1000,) if quick else (1000, 20_000))]
    return [*sizes, _of_many(grounds, 5 if quick else MANY, 3 if quick else 10)]


def _at(grounds: Grounds, files: int, rounds: int) -> Section:
    lab = grounds.watched(f"looks-{files}", files)
    wtwatch = [sys.executable, "-P", "-m", "wtwatch"]
    with lab.daemon():
        eventually(lambda: file_of(f"looks-{files}").exists())
        taken = interleaved(
            {
                OURS: lambda: command(*wtwatch, "status", cwd=lab.run),
                "`git status`": lambda: command("git", "status", cwd=lab.run),
                "`datalad status`": lambda: command("datalad", "status", cwd=lab.run),
            },
            rounds,
        )
    most = GOALS[files]
    goals = {OURS: [goal(f"≤ {most} ms", median(taken[OURS]) <= most)]}
    return Section(f"(c) status, {files:,} files", compared(taken, goals))


def _of_many(grounds: Grounds, projects: int, rounds: int) -> Section:
    """Ask for the status of many projects at once, which lie in small repositories of plain git."""
    root = grounds.root / "many"
    registry_file().unlink(missing_ok=True)
    for number in range(projects):
        house = House.built(root / str(number), name=f"many-{number}")
        write_project(house.project)
        register(house.project.name, house.project.state)
    wtwatch = [sys.executable, "-P", "-m", "wtwatch"]
    with running_daemon(root):
        eventually(lambda: all(file_of(f"many-{number}").exists() for number in range(projects)), within=120)
        taken = interleaved(
            {
                OURS: lambda: command(*wtwatch, "status", cwd=root),
                "`git status` of one": lambda: command("git", "status", cwd=root / "0" / "run"),
            },
            rounds,
        )
    goals = {OURS: [goal("≤ 150 ms", median(taken[OURS]) <= 150)]}
    return Section(f"(c) status of {projects} projects", compared(taken, goals))
