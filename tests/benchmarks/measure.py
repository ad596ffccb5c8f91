"""Measure several ways of doing one thing side by side, and show medians beside the goals."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Way = Callable[[], float]
"""Prepares, does the thing once, and returns the seconds that the thing alone took."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, how long it took, what that is to ours, and the goals."""

    what: str
    value: str
    ratio: str = ""
    goals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One measurement: its heading and its rows."""

    title: str
    rows: tuple[Row, ...] = field(default_factory=tuple)


def interleaved(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Take turns ``rounds`` times, each time beginning with another way, after one turn that is not counted.

    What disturbs the machine for a while thus disturbs all ways alike. Returns seconds by way.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(-1, rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            seconds = ways[name]()
            if turn >= 0:
                taken[name].append(seconds)
    return taken


def command(*words: str | Path, cwd: Path, ok: Sequence[int] = (0,)) -> float:
    """Run a command, its output thrown away; return its seconds. Raises where it fails."""
    line = [str(word) for word in words]
    begin = time.perf_counter()
    done = subprocess.run(
        line,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    seconds = time.perf_counter() - begin
    if done.returncode not in ok:
        raise RuntimeError(f"{line} in {cwd}: exit {done.returncode}\n{os.fsdecode(done.stderr)}")
    return seconds


def processor() -> float:
    """Return the seconds that this process and children that ended have used so far, user and system."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def median(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(seconds) * 1000


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median in words, with the quartiles between which half of all turns lie."""
    low, middle, high = (
        [value * 1000 for value in statistics.quantiles(seconds, method="inclusive")]
        if len(seconds) > 1
        else [seconds[0] * 1000] * 3
    )
    digits = 1 if middle < 20 else 0
    return f"{middle:,.{digits}f} ms ({low:,.{digits}f}–{high:,.{digits}f})"


def goal(text: str, met: bool) -> str:
    """Return a goal with the word on how it went."""
    return f"{text}: {'met' if met else 'missed'}"


def compared(taken: Mapping[str, Sequence[float]], goals: Mapping[str, Sequence[str]]) -> tuple[Row, ...]:
    """Make a row for each way; the first way is ours, which the others are compared with."""
    ours = next(iter(taken))
    rows = []
    for name, seconds in taken.items():
        ratio = "" if name == ours else f"{median(seconds) / median(taken[ours]):.2g} ×"
        rows.append(Row(name, milliseconds(seconds), ratio, tuple(goals.get(name, ()))))
    return tuple(rows)


def markdown(sections: Sequence[Section]) -> str:
    """Return all sections as one table."""
    lines = ["| | median (quartiles) | to wtwatch | goal |", "|---|---|---|---|"]
    for section in sections:
        lines.append(f"| **{section.title}** | | | |")
        lines += [
            f"| {row.what} | {row.value} | {row.ratio} | {', '.join(row.goals)} |" for row in section.rows
        ]
    return "\n".join(lines)
