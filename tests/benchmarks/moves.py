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
BY_JJ = "the same, moved by jj: from when `jj` has returned"
HAND = "by hand: `git reset --hard runs`, `uv sync`, `datalad save -d . code`"
BARE = "git alone: `git reset --hard runs`, `git commit -- code`"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Move the bookmark in projects of two sizes, watched, brought to it by hand, and by git alone."""
    sizes = ((1000, 0),) if quick else ((1000, 0), (20_000, 2000))
    return [_at(grounds, files, code, 5 if quick else 25) for files, code in sizes]


def _at(grounds: Grounds, files: int, code: int, rounds: int) -> Section:
    watched = grounds.watched(f"moves-{files}", files, code)
    by_jj = grounds.watched(f"moves-by-jj-{files}", files, code, "jj", alone=False)
    hand, bare = (grounds.by_hand(f"moves-by-{name}-{files}", files, code) for name in ("hand", "git"))
    with watched.daemon():
        ways = {OURS: _noticed(watched), BY_JJ: _noticed(by_jj), HAND: _typed(hand), BARE: _bare(bare)}
        taken = interleaved(ways, rounds)
    times = median(taken[HAND]) / median(taken[OURS])
    most = 50 if files <= 1000 else 70
    goals = {
        OURS: [goal(f"≤ {most} ms", median(taken[OURS]) <= most)],
        HAND: [goal("≥ 8 × as fast as by hand", times >= 8)],
    }
    more = f", {code:,} more in code/" if code else ""
    return Section(f"(a) a moved bookmark, {files:,} files in the superdataset{more}", compared(taken, goals))


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
        if lab.driver == "jj":
            lab.jj("bookmark", "set", "--quiet", "--allow-backwards", "runs", "-r", new)
            begin = time.perf_counter()
        else:
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
