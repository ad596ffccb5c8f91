"""(d) What it costs to save the pointer of code/ in the run tree's superdataset."""

from __future__ import annotations

import time
from itertools import count

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, command, compared, goal, interleaved, median
from tests.lab import Lab
from wtwatch.project.config import read_project
from wtwatch.project.listing import registered
from wtwatch.project.registry import projects_at
from wtwatch.project.tree import RunTree
from wtwatch.tree import save
from wtwatch.words.model import Sha

OURS = "wtwatch"
DATALAD = "`datalad save -d . code`"
GIT = "`git commit -- code`"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Save pointers in turn as the daemon does it, by DataLad and by git, in trees of several sizes."""
    return [_at(grounds, files, 4 if quick else 15) for files in ((1000,) if quick else (1000, 20_000))]


def _at(grounds: Grounds, files: int, rounds: int) -> Section:
    labs = {name: grounds.by_hand(f"pointers-{name}-{files}", files) for name in ("datalad", "git")}
    taken = interleaved(
        {
            OURS: _ours(grounds.watched(f"pointers-{files}", files)),
            DATALAD: _command(labs["datalad"], "datalad", "save", "-d", ".", "code"),
            GIT: _command(labs["git"], "git", "commit", "-q", "--no-verify", "-m", "moved", "--", "code"),
        },
        rounds,
    )
    times = median(taken[DATALAD]) / median(taken[OURS])
    goals = {DATALAD: [goal("≥ 10 × as fast as DataLad", times >= 10)]}
    return Section(f"(d) the pointer saved, {files:,} files", compared(taken, goals))


def _ours(lab: Lab) -> Way:
    project = projects_at(lab.run, [read_project(state / "config.toml") for state in registered().values()])[
        0
    ]
    numbers = count(2)  # the project starts as v1

    def save_once() -> float:
        new = _moved(lab, next(numbers))
        begin = time.perf_counter()
        save.record(RunTree.of(project), new, foldable=False)
        seconds = time.perf_counter() - begin
        _check(lab, new)
        return seconds

    return save_once


def _command(lab: Lab, *words: str) -> Way:
    numbers = count(2)  # the project starts as v1

    def save_once() -> float:
        new = _moved(lab, next(numbers))
        seconds = command(*words, cwd=lab.run)
        _check(lab, new)
        return seconds

    return save_once


def _moved(lab: Lab, number: int) -> Sha:
    """Put the code of the run tree on a new commit, as a sync just did."""
    new = lab.change_code(f"v{number}", f"release {number}")
    lab.git("checkout", "--quiet", "--detach", new, cwd=lab.run_code)
    return new


def _check(lab: Lab, new: Sha) -> None:
    if lab.git("rev-parse", "HEAD:code", cwd=lab.run) != new:
        raise RuntimeError(f"{lab.run} does not have {new} saved as its code")
