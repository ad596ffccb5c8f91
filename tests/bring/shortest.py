"""What is left of a history that came out wrong when all is left out that it is wrong without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from tests.bring.histories import NEVER, History, Step, Wrong

SIZES = (8, 4, 2, 1, 1)
"""How many steps are left out at a time, one round after the other."""


def shortest(folder: Path, seed: int, steps: Sequence[Step], kind: type[History] = History) -> str:
    """Return the shortest history found that is wrong in the end, as lines to be read.

    They say what is wrong, then each step with what main and the run branch had after it at that path. Each
    try is played in a folder of its own in ``folder``.
    """
    folder.mkdir(exist_ok=True)
    folders = (folder / f"{seed}-{number}" for number in count())
    left = tuple(steps)
    for size in SIZES:
        for start in reversed(range(0, len(left), size)):
            fewer = kind(next(folders), seed)
            if _fault(fewer, left[:start] + left[start + size :]):
                left = tuple(fewer.done)
    fault = _fault(kind(next(folders), seed), left)
    return "\n".join([f"  shortest: {fault!r}", *_told(kind(next(folders), seed), left, fault)])


def _fault(history: History, steps: Sequence[Step]) -> Exception | None:
    """Play steps until something is wrong or breaks, and return that."""
    try:
        for step in steps:
            history.do(step)
    except Exception as fault:  # what breaks is told as what is wrong is
        return fault
    return None


def _told(history: History, steps: Sequence[Step], fault: Exception | None) -> Iterator[str]:
    for step in steps:
        _fault(history, [step])
        line = f"    {step.way}"
        if isinstance(fault, Wrong):
            main, run = (side.state.get(fault.path, NEVER).text for side in (history.main, history.run))
            line = f"    {step.way:<18} main {main!r:<8} run {run!r}"
        yield line
