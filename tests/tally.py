"""What tests did again and again, and how it went, as a run's last words.

How often they ended a process with `kill -9`, and how often nothing was lost by it; of how many results they
asked whether these are stale, and how many were called so that would have come out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from wtwatch.stale.values import Standing

Victim = TypeVar("Victim")

PROPERTY = "kills"
"""What a test's counts are called in its report (its `user_properties`, which pytest-xdist sends home)."""

LOOKS = "looks"
"""The same of looks at results."""


class Kills:
    """The kills of a test: of each kind, such as "a move at each step", those tried and those survived."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, int]] = {}

    @contextmanager
    def survived(self, kind: str, hit: bool = True) -> Iterator[None]:
        """Count a kill, as survived if the body, which looks after what was struck, ends without an error.

        ``hit``: whether there was somebody to kill; if not, nothing is counted.
        """
        self._add(kind, hit, 0)
        yield
        self._add(kind, 0, hit)

    def each(self, kind: str, struck: Iterable[Victim]) -> Iterator[Victim]:
        """Yield what was struck, one kill each: it was survived once its observer comes back for the next."""
        for victim in struck:
            with self.survived(kind):
                yield victim

    def _add(self, kind: str, tried: int, survived: int) -> None:
        before = self.counts.get(kind, (0, 0))
        self.counts[kind] = (before[0] + tried, before[1] + survived)


class Looks:
    """A test's looks at results, of each of which an oracle knows whether it would come out otherwise."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, standing: Standing, differs: bool) -> None:
        """Count a look at a result."""
        self.counts["asked"] += 1
        self.counts["differ"] += differs
        self.counts["fresh though they differ"] += differs and standing in (Standing.FRESH, Standing.FED)
        self.counts["stale without need"] += standing is Standing.STALE and not differs
        self.counts["unknown"] += standing is Standing.UNKNOWN


def lines(stats: Mapping[str, Iterable[Any]]) -> list[str]:
    """Return the last words of a run, from all reports (`terminalreporter.stats`)."""
    return list(filter(None, (summed(stats), looked(stats))))


def looked(stats: Mapping[str, Iterable[Any]]) -> str | None:
    """Return a line with the sums of all looks at results; ``None`` if there were none."""
    sums: Counter[str] = Counter()
    for counts in _noted(stats, LOOKS):
        sums.update(counts)
    said = ", ".join(f"{number} {what}" for what, number in sums.items() if what != "asked")
    return f"stale: {sums['asked']} results asked: {said}" if sums else None


def _noted(stats: Mapping[str, Iterable[Any]], name: str) -> Iterator[Mapping[str, Any]]:
    """Yield what tests noted by a name in their reports."""
    for report in (report for reports in stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":  # each report of a test has what was noted before it
            yield from (value for key, value in report.user_properties if key == name)


def summed(stats: Mapping[str, Iterable[Any]]) -> str | None:
    """Return a line with the sums over all reports (`terminalreporter.stats`); ``None`` if there are none."""
    sums = Kills()
    for counts in _noted(stats, PROPERTY):
        for kind, (tried, survived) in counts.items():
            sums._add(kind, tried, survived)
    if not sums.counts:
        return None
    kinds = ", ".join(f"{kind} {done} of {tried}" for kind, (tried, done) in sorted(sums.counts.items()))
    tried, done = (sum(counts) for counts in zip(*sums.counts.values(), strict=True))
    return f"kill -9: {tried} tried, {done} survived: {kinds}"
