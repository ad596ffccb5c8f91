"""(k) What a job used of the code, learned as it runs: what that adds to a job, beside strace(1).

Watches are set, a command is run that opens ten files of code, and what was seen is judged, as a job's
process does it; in code of two sizes. Beside it the command alone, and under strace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, compared, goal, interleaved, median
from wtwatch.doors.beside import Beside
from wtwatch.job.learning import Learning, Place
from wtwatch.job.seen import Code, uses_of

ALONE = "the command alone"
LEARNED = "with what it uses learned"
TRACED = "under `strace -f --seccomp-bpf`, its log not read"

A_FOLDER = 20
"""Files in each folder of code."""

READ = 10
"""Files that the command opens."""

MOST, A_THOUSAND = 0.020, 0.005
"""Seconds that may be added to a job, or for each thousand files of code where that is more."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Run the command in code of two sizes."""
    sizes = {1000: 5} if quick else {1000: 25, 20_000: 15}
    return [_at(grounds.root / f"learning-{files}", files, rounds) for files, rounds in sizes.items()]


def _at(top: Path, files: int, rounds: int) -> Section:
    names = _make(top, files)
    command = ["cat", *names[:: max(files // READ, 1)]]
    ways = {ALONE: _timed(lambda: _run(top, command)), LEARNED: _timed(lambda: _learn(top, command))}
    if strace := shutil.which("strace"):
        traced = [strace, "-f", "-qq", "--seccomp-bpf", "-e", "trace=open,openat,openat2,execve,getdents64"]
        ways[TRACED] = _timed(lambda: _run(top, [*traced, "-o", os.devnull, *command]))
    taken = interleaved(ways, rounds)
    added = median(taken[LEARNED]) - median(taken[ALONE])
    most = max(MOST, A_THOUSAND * files / 1000) * 1000
    goals = {LEARNED: [goal(f"≤ {most:.0f} ms more", added <= most)]}
    return Section(f"(k) what a job uses is learned, {files:,} files of code", compared(taken, goals))


def _make(top: Path, files: int) -> list[str]:
    names = []
    for number in range(files):
        folder = top / "code" / f"part{number // A_FOLDER}"
        if number % A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"module{number}.py").write_text(f"X = {number}\n")
        names.append(f"code/{folder.name}/module{number}.py")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=top, check=True)
    return names


def _timed(act: Callable[[], object]) -> Way:
    def way() -> float:
        begin = time.perf_counter()
        act()
        return time.perf_counter() - begin

    return way


def _run(top: Path, command: list[str]) -> None:
    subprocess.run(command, cwd=top, stdout=subprocess.DEVNULL, check=True)


def _learn(top: Path, command: list[str]) -> None:
    watched = Learning(Place(top, ("code",), lambda path: False))
    list_files = ["git", "ls-files", "-z"]
    watched.begin()
    listing = Beside(lambda: subprocess.run(list_files, cwd=top, capture_output=True, check=True).stdout)
    _run(top, command)
    listed = listing.answer()
    seen = watched.end()
    tracked = frozenset(listed.decode().split("\0"))
    code = Code(tracked, lambda path: False, lambda path: (top / path).read_text(), " ".join(command))
    used = uses_of(seen, code)
    assert used.whole is None and len(used.files) == READ, used
