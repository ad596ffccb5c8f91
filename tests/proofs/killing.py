"""Kill a program at a random moment of its work: how, and at which moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from tests.proofs.nursery import Program
from wtwatch.project.config import Project
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.words.errors import Busy

Victim = TypeVar("Victim")

_SEED = os.environ.get("WTWATCH_SEED")  # read here, since the room of a test is sealed


def python(code: str, *words: str) -> Program:
    """Start Python code with the tests at hand; it leads a process group of its own by now."""
    return Program(code, words)


def undisturbed(code: str, *words: str) -> float:
    """Return how many seconds the code takes when it is left alone."""
    began = time.monotonic()
    with python(code, *words) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began


def killed(after: float, code: str, *words: str) -> float | None:
    """Start the code and end it with all that it started after ``after`` seconds.

    Returns ``None`` if it was alive to be killed, else how many seconds it took to its end.
    """
    began = time.monotonic()
    with python(code, *words) as process:
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):  # it may end this very moment
                os.killpg(process.pid, signal.SIGKILL)
            _, said = process.communicate()
            if process.returncode == -signal.SIGKILL:
                return None
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began


def struck(
    times: int, whole: float, fresh: Callable[[], Victim], code: str, words: Callable[[Victim], Sequence[str]]
) -> Iterator[Victim]:
    """Yield fresh victims on each of which the code was killed while it was at work, to be looked after.

    The moments are those of :func:`moments` in a work of ``whole`` seconds. Where the work was over before
    its moment, since the machine is quicker than it was, it is done again by that new measure, each time
    somewhat sooner.
    """
    for number, share in enumerate(moments(times)):
        for tried in range(5):
            victim = fresh()
            took = killed(share * whole / (1 + tried), code, *words(victim))
            if took is None:
                break
            whole = took
        else:
            raise AssertionError("the work was over before its moment, five times")
        print(f"kill {number + 1} of {times}, at {share:.4f} of {whole:.3f} s")
        yield victim


def laid_out_anew(victim: Victim, root: Path, *trees: Path) -> Iterator[Victim]:
    """Yield a victim, all of which lies in ``root``, again and again as it is now, at the same place.

    That is quicker than to build it again. In its ``trees``, and below, git is sure of its files.
    """
    saved = root.with_name(f"{root.name} as it was")
    subprocess.run(["cp", "-a", str(root), str(saved)], check=True)
    for number in count():
        root.rename(root.with_name(f"{root.name} {number}"))
        subprocess.run(["cp", "-a", str(saved), str(root)], check=True)
        for tree in trees:
            subprocess.run(["git", "status"], cwd=tree, stdout=subprocess.DEVNULL, check=True)
        yield victim


def moments(times: int) -> Sequence[float]:
    """Return where in a work to strike, as shares of it: spread over all of it, each somewhere in its part.

    They are others in each run; what fails says the seed, and `WTWATCH_SEED` plays those moments again.
    """
    seed = int(_SEED or int.from_bytes(os.urandom(4)))
    print(f"WTWATCH_SEED={seed}: {times} moments")
    dice = random.Random(seed)
    return [(number + dice.random()) / times for number in range(times)]


def locks_in(root: Path) -> list[str]:
    """Return the lock files of git below ``root``, for what is said of a failure."""
    return sorted(str(lock.relative_to(root)) for lock in root.rglob("*.lock"))


def until(holds: Callable[[], bool], within: float) -> bool:
    """Return whether something holds within so many seconds."""
    deadline = time.monotonic() + within
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def ticked(project: Project, options: TickOptions) -> Done:
    """Tick as the daemon does: again, as long as the git of what was killed is not gone yet.

    As it holds a lock, or is found at work in the run tree where nothing else could be done.
    """
    deadline = time.monotonic() + 30
    while True:
        try:
            done = tick(project, options)
            if not done.busy or done.ended or done.started or done.beside or time.monotonic() > deadline:
                return done
        except Busy:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)
