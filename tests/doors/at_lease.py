"""Hosts that meet at a lease, as processes of their own: ``python -m tests.doors.at_lease WHAT FOLDER``.

Python tells of what changes a file before that happens (sys.addaudithook): so one host can act, or end, in
the midst of what another does. What comes of it is said in JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from wtwatch.doors import lease
from wtwatch.doors.lease import Holder, Lease

ONE, OTHER, THIRD = (Holder(name, f"boot of {name}", "pid:[1]") for name in ("login1", "login2", "login3"))

STEPS = {"open", "os.link", "os.listdir", "os.remove", "os.utime"}
"""All by which a lease is looked at and changed."""

_at: dict[str, Any] = {"left": None, "then": None}


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if _at["left"] is None or event not in STEPS:
        return
    _at["left"] -= 1
    if _at["left"] < 0:
        _at["left"] = None
        _at["then"]()


def struck(step: int, then: Callable[[], object], what: Callable[[], object]) -> tuple[object, object, bool]:
    """Do ``what`` and, directly before its step of that number, ``then``; say if it came to that, last."""
    said: list[object] = []
    _at["left"], _at["then"] = step, lambda: said.append(then())
    done = what()
    _at["left"] = None
    return (said or [None])[0], done, bool(said)


def old(folder: Path) -> None:
    """Have the lease of a folder not renewed for long, by the file server's clock."""
    seen = lease.look(folder)
    assert seen is not None
    long_ago = seen.renewed - int((lease.LAPSE + 60) * 1e9)
    os.utime(folder / f"lease.{seen.number}", ns=(long_ago, long_ago))


def give_back(folder: Path) -> None:
    """Have the lease of a folder given back."""
    seen = lease.look(folder)
    assert seen is not None
    os.utime(folder / f"lease.{seen.number}", (0, 0))


def _fresh(folder: Path, name: object) -> Path:
    (made := folder / f"{name}").mkdir()
    return made


def renewed_meanwhile(top: Path) -> list[tuple[bool, bool, bool]]:
    """Have a holder renew at each step of who takes over from it.

    Return whether it was told that it still has it, whether the other was, and whether it has in the end.
    """
    return _meet(top, lambda first, folder: (first.renew, lambda: lease.take(folder, OTHER)))


def taken_meanwhile(top: Path) -> list[tuple[bool, bool, bool]]:
    """Have another take over at each step of a holder that renews; returns the same."""
    found = _meet(top, lambda first, folder: (lambda: lease.take(folder, OTHER), first.renew))
    return [(told, had, has) for had, told, has in found]


_Two = tuple[Callable[[], object], Callable[[], object]]


def _meet(top: Path, two: Callable[[Lease, Path], _Two]) -> list[tuple[bool, bool, bool]]:
    """Have the first of two things done at each step of the second; return what both said, and who has it."""
    found: list[tuple[bool, bool, bool]] = []
    while True:
        folder = _fresh(top, len(found))
        lease_of_one = lease.take(folder, ONE)
        assert isinstance(lease_of_one, Lease)
        old(folder)
        inner, done, reached = struck(len(found), *two(lease_of_one, folder))
        if not reached:
            return found
        found.append((_had(inner), _had(done), lease_of_one.is_mine()))


def _had(said: object) -> bool:
    return isinstance(said, Lease) or said is True


def killed(top: Path) -> list[str]:
    """End who takes over, or is the first, at each step; return who can have it afterwards."""
    found = []
    for before in (False, True):
        step, ended = 0, 9
        while ended == 9:
            folder = _fresh(top, f"{before}{step}")
            if before:
                lease.take(folder, ONE)
                old(folder)
            if (child := os.fork()) == 0:
                struck(step, lambda: os.kill(os.getpid(), 9), partial(lease.take, folder, OTHER))
                os._exit(0)
            ended = -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            again = lease.take(folder, OTHER)  # the same host goes on at once
            assert isinstance(again, Lease) and again.is_mine(), (before, step)
            refused = lease.take(folder, THIRD)
            assert not isinstance(refused, Lease) and refused.holder == OTHER, (before, step)
            old(folder)
            assert isinstance(lease.take(folder, THIRD), Lease), (before, step)
            assert not again.is_mine(), (before, step)
            found.append(f"{before} {step}")
            step += 1
    return found


def run_for_it(top: Path, rounds: int) -> list[int]:
    """Have three hosts run for a lease, new, given back or lapsed; return how many had it each time."""
    found = []
    for turn in range(rounds):
        if turn % 10 == 0:
            folder = _fresh(top, turn)
        elif turn % 2:
            old(folder)
        else:
            give_back(folder)
        gate, starter = os.pipe()
        children = []
        for me in (ONE, OTHER, THIRD):
            if (child := os.fork()) == 0:
                os.close(starter)
                os.read(gate, 1)
                os._exit(isinstance(lease.take(folder, me._replace(space=f"{turn}")), Lease))
            children.append(child)
        os.close(starter)
        found.append(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
        os.close(gate)
    return found


if __name__ == "__main__":
    sys.addaudithook(_hear)
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))))
