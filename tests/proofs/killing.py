"""Kill a program at a random moment of its work: how, and at which moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(code: str, *words: str) -> subprocess.Popen[bytes]:
    """Start Python code with the tests at hand, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def undisturbed(code: str, *words: str) -> float:
    """Return how many seconds the code takes when it is left alone."""
    began = time.monotonic()
    with python(code, *words) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began


def killed(after: float, code: str, *words: str) -> bool:
    """Start the code and end it with all that it started after ``after`` seconds; return if it was alive."""
    with python(code, *words) as process:
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
    return False


def moments(whole: float, count: int) -> Sequence[float]:
    """Return moments of a work of ``whole`` seconds, spread over all of it, each somewhere in its part.

    They are others in each run; what fails says the seed, and `WTWATCH_SEED` plays those moments again.
    """
    seed = int(os.environ.get("WTWATCH_SEED") or int.from_bytes(os.urandom(4)))
    print(f"WTWATCH_SEED={seed}: {count} moments of {whole:.3f} s")
    dice = random.Random(seed)
    return [whole * (number + dice.random()) / count for number in range(count)]


def locks_in(root: Path) -> list[str]:
    """Return the lock files of git below ``root``, for what is said of a failure."""
    return sorted(str(lock.relative_to(root)) for lock in root.rglob("*.lock"))


def until(holds: Callable[[], bool], within: float) -> bool:
    """Return whether something holds within so many seconds."""
    deadline = time.monotonic() + within
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held
