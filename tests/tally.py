"""How often tests ended a process with `kill -9`, and how often nothing was lost by it: a run's last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

Victim = TypeVar("Victim")

PROPERTY = "kills"
"""What a test's counts are called in its report (its `user_properties`, which pytest-xdist sends home)."""


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


def summed(stats: Mapping[str, Iterable[Any]]) -> str | None:
    """Return a line with the sums over all reports (`terminalreporter.stats`); ``None`` if there are none."""
    sums = Kills()
    for report in (report for reports in stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":  # each report of a test has what was noted before it
            for name, counts in report.user_properties:
                for kind, (tried, survived) in counts.items() if name == PROPERTY else ():
                    sums._add(kind, tried, survived)
    if not sums.counts:
        return None
    kinds = ", ".join(f"{kind} {done} of {tried}" for kind, (tried, done) in sorted(sums.counts.items()))
    tried, done = (sum(counts) for counts in zip(*sums.counts.values(), strict=True))
    return f"kill -9: {tried} tried, {done} survived: {kinds}"
