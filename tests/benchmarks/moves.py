"""(a) From a moved bookmark to the run tree at the new commit and the pointer saved."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, command, compared, goal, interleaved, median
from tests.lab import Lab
from wtwatch.words.model import Sha

PATIENCE = 30.0
LOOK = 0.001
"""Seconds between two looks for the end of a sync; a look reads two small files."""

OURS = "wtwatch, its daemon running"
HAND = "by hand: `git reset --hard runs`, `uv sync`, `datalad save -d . code`"
BARE = "git alone: `git reset --hard runs`, `git commit -- code`"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Move the bookmark in three projects in turn: watched, brought to it by hand, and by git alone."""
    files = 1000
    watched = grounds.watched("moves", files)
    hand, bare = grounds.by_hand("moves-by-hand", files), grounds.by_hand("moves-by-git", files)
    with watched.daemon():
        ways = {OURS: _noticed(watched), HAND: _typed(hand), BARE: _bare(bare)}
        taken = interleaved(ways, 5 if quick else 25)
    times = median(taken[HAND]) / median(taken[OURS])
    goals = {
        OURS: [goal("≤ 120 ms", median(taken[OURS]) <= 120)],
        HAND: [goal("≥ 4 × as fast as by hand", times >= 4)],
    }
    return [Section(f"(a) a moved bookmark, {files:,} files in the superdataset", compared(taken, goals))]


def _noticed(lab: Lab) -> Way:
    """Move the bookmark and only look on, until the run tree's superdataset has the pointer in its index."""
    applied = lab.code / ".git" / "refs" / "wtwatch" / lab.root.name / "applied"
    branch = lab.main / ".git" / "refs" / "heads" / "runs"
    index = Path(lab.git("rev-parse", "--absolute-git-dir", cwd=lab.run)) / "index"
    release = count(2)  # the project starts as v1

    def move() -> float:
        new = _commit_code(lab, release)
        saved, listed = _text(branch), _changed(index)
        begin = time.perf_counter()
        _move_bookmark(lab, new)
        while _text(applied) != new or _text(branch) == saved or _changed(index) == listed:
            if time.perf_counter() - begin > PATIENCE:
                raise RuntimeError(
                    f"The daemon did not bring {lab.run_code} to {new}: see {lab.root}/daemon.log"
                )
            time.sleep(LOOK)
        seconds = time.perf_counter() - begin
        _check(lab, new)
        return seconds

    return move


def _typed(lab: Lab) -> Way:
    release = count(2)  # the project starts as v1

    def move() -> float:
        new = _commit_code(lab, release)
        begin = time.perf_counter()
        _move_bookmark(lab, new)
        command("git", "reset", "--quiet", "--hard", "runs", cwd=lab.run_code)
        command("uv", "sync", "--quiet", cwd=lab.run_code)
        command("datalad", "save", "-d", ".", "code", cwd=lab.run)
        seconds = time.perf_counter() - begin
        _check(lab, new)
        return seconds

    return move


def _bare(lab: Lab) -> Way:
    release = count(2)  # the project starts as v1

    def move() -> float:
        new = _commit_code(lab, release)
        begin = time.perf_counter()
        _move_bookmark(lab, new)
        command("git", "reset", "--quiet", "--hard", "runs", cwd=lab.run_code)
        command("git", "commit", "--quiet", "--no-verify", "-m", "code moved", "--", "code", cwd=lab.run)
        seconds = time.perf_counter() - begin
        _check(lab, new)
        return seconds

    return move


def _commit_code(lab: Lab, release: count[int]) -> Sha:
    number = next(release)
    return lab.change_code(f"v{number}", f"release {number}")


def _move_bookmark(lab: Lab, new: Sha) -> None:
    # as jj does it; `git branch --force` refuses where a tree made by hand is on the branch
    command("git", "update-ref", "refs/heads/runs", new, cwd=lab.code)


def _check(lab: Lab, new: Sha) -> None:
    states = lab.commit("HEAD", lab.run_code), lab.git("rev-parse", "HEAD:code", cwd=lab.run)
    if states != (new, new):
        raise RuntimeError(f"{lab.run}: code is at {states[0]} and saved as {states[1]}, not {new}")


def _text(ref: Path) -> str:
    try:
        return ref.read_text().strip()
    except OSError:
        return ""


def _changed(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns
