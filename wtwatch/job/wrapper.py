"""The process that a job is: ``python -m wtwatch.job.wrapper [--detach] FOLDER``.

It holds the lock of the run tree until its work is done, and writes into the folder of the attempt what
:mod:`wtwatch.job.attempt` lists; standard output is the job's log. Detached, it outlives whoever started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from wtwatch.doors import dataset
from wtwatch.doors.dataset import OUR_KEY, RunResult, results_of
from wtwatch.doors.files import ring
from wtwatch.doors.processes import bearing, identity, send
from wtwatch.doors.traces import is_full
from wtwatch.job import limits, recording, resuming, verdict
from wtwatch.job.attempt import LOCK, MARK, CommandEnd, Folder, Order, Result
from wtwatch.job.readiness import Demands, hindrances, identity_problem, moved_code
from wtwatch.job.steps import Steps
from wtwatch.project.variables import binds, made
from wtwatch.tree.changes import commits_since
from wtwatch.tree.states import After, Before
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha, now

GRACE = 5.0
"""Seconds that a job's processes have to end by themselves when the job is told to."""

AGAIN = 1.0
"""Seconds between two looks at a tree on a full disk."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Stopped(BaseException):
    """The job was told to end; nothing in between may take it for an error of its own."""


def main(words: list[str]) -> int:
    """Do the job of the folder that is the last of ``words``, to its end.

    With ``--detach`` in a process and session of its own; then this returns, with 0, as soon as that process
    said that it started.
    """
    folder = Folder(Path(words[-1]))
    if "--detach" not in words:
        _work(folder)
        return 0
    said, say = os.pipe()
    if os.fork():
        os.close(say)
        return 0 if os.read(said, 1) else 1
    os.close(said)
    os.setsid()
    _work(folder, say)
    os._exit(0)


def _work(folder: Folder, say: int | None = None) -> None:
    order = folder.order()
    myself = identity(os.getpid())
    assert order is not None and myself is not None
    lock = os.environ.pop(LOCK, None)
    if lock is not None:
        os.set_inheritable(int(lock), False)  # the command must not hold it beyond our end
    steps = Steps(folder)
    folder.write_started(myself, order.uuid, now())
    if say is not None:
        os.write(say, b"!")
        os.close(say)
    steps.ended(_carry_out(folder, order, steps))
    if lock is not None:
        os.close(int(lock))
    ring(order.bell)


def _carry_out(folder: Folder, order: Order, steps: Steps) -> Result:
    demanded = _demands(order)
    try:
        if not order.spec.plain:
            dataset.load()
        before = Before.of(order.run_tree, _excludes())
        folder.write_before(before)
        hindered = [*identity_problem(demanded), *hindrances(demanded, before), *moved_code(demanded)]
    except (WtwatchError, OSError) as error:
        return Result(None, (), now(), f"{error}", began=False)
    if hindered:
        return Result(None, (), now(), hindered[0], began=False)
    try:
        noted = _prepare(order, before)
    except (WtwatchError, OSError) as error:  # the same would come of it again, so the job has failed
        return Result(1, (), now(), f"{error}")
    ran, stopped = _ran(order, noted)
    if not ran.began:
        return Result(None, (), now(), ran.error, began=False)
    if stopped and results_of(order.run_tree, order.uuid, order.base):  # told to end after its commit
        ran, stopped = RunResult(0), False
    found: tuple[str, ...] = ()
    if not stopped:
        steps.command_ended(CommandEnd(ran.exit, ran.error))
    try:
        after = _look_after(order.run_tree, folder)
        steps.looked_after(after)
        found = verdict.of_attempt(demanded, before, after)
        steps.verified(found)
        if ran == RunResult(0) and not (stopped or found or order.spec.plain):
            with suppress(WtwatchError, OSError):  # whoever clears up does it again, and can wait for it
                recording.record(order, before, after)
    except (WtwatchError, OSError) as error:  # the job may have done anything to the tree
        found = (f"how it left the tree cannot be seen: {error}",)
    with suppress(OSError):
        sys.stdout.flush()
    wrong = verdict.in_words(ran.error, found)
    return Result(None if stopped else ran.exit, _commits(order), now(), wrong, stopped)


def _prepare(order: Order, before: Before) -> dict[str, Any]:
    """Make this process's environment and limits those of the command; return what records say of them."""
    limits.hold(order.limits)
    datasets = [state.path for state in before.datasets]
    seen = binds(order.run_tree, datasets, order.main_tree) if order.main_tree else {}
    command = made(os.environ | seen, order.wanted, order.run_tree)
    for name in os.environ.keys() - command.env.keys():
        del os.environ[name]
    os.environ.update(command.env)
    installed = {"packages": dict(order.packages)} if order.packages else {}
    return command.record(order.run_tree) | installed


def _look_after(run_tree: Path, folder: Folder) -> After:
    """Look how the tree stands; on a full disk again, until there is room: git waits for that, and gives up.

    Where git asks git-annex for what is in a file, that needs room, on the disk of the repository: that of
    the attempt's folder.
    """
    while True:
        try:
            return After.of(run_tree, _excludes())
        except (WtwatchError, OSError):
            if not (is_full(run_tree) or is_full(folder.path)):
                raise
        time.sleep(AGAIN)


def _demands(order: Order) -> Demands:
    code = order.code_path.relative_to(order.run_tree).as_posix() if not order.paths else ""
    return Demands(order.run_tree, code, order.code_sha, order.branch, order.allowed, order.spec, order.paths)


def _excludes() -> dict[str, str]:
    """Return the variables with which we were told what git shall ignore besides its usual."""
    return {name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG_")}


def _ran(order: Order, noted: dict[str, Any]) -> tuple[RunResult, bool]:
    """Run the command; return how it ended, and whether it was told to end before it was done."""
    try:
        for number in SIGNALS:
            signal.signal(number, _stop)
        return _run(order, noted), False
    except _Stopped:
        _ignore_signals()
        _end_others(order.uuid)
        return RunResult(1), True
    except Exception as error:  # the last fence: whatever it was, the outcome must say it
        with suppress(OSError):  # the log may be on a full disk
            traceback.print_exc()
        return RunResult(1, f"{type(error).__name__}: {error}"), False
    finally:
        _ignore_signals()


def _commits(order: Order) -> tuple[Sha, ...]:
    try:
        return commits_since(order.run_tree, order.base)
    except WtwatchError:  # the job may have done anything to the repository
        return ()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _run(order: Order, noted: dict[str, Any]) -> RunResult:
    put_back = (
        partial(resuming.put_back, order.run_tree, order.left, order.left_paths) if order.left else None
    )
    if order.spec.plain:
        if put_back:
            put_back()
        return RunResult(subprocess.Popen(["/bin/sh", "-c", order.spec.command]).wait())
    ours = {"attempt": order.uuid, "code": order.code_sha, "superdataset": order.base, "environment": noted}
    ours |= {"carried": dict(order.carried)} if order.carried else {}
    extra = {OUR_KEY: ours}
    act = dataset.rerun if order.spec.rerun_of else dataset.run
    with dataset.just_before_commands(put_back) if put_back else nullcontext():
        return act(order.run_tree, order.spec, extra)


def _end_others(uuid: str) -> None:
    """End the job's other processes: ask first, then force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(WtwatchError):  # another user's, which whoever clears up will name
            send(_others(uuid), number)
        deadline = time.monotonic() + GRACE
        while _others(uuid) and time.monotonic() < deadline:
            time.sleep(0.02)


def _others(uuid: str) -> list[int]:
    return [pid for pid in bearing(MARK, uuid, identity(os.getpid())) if pid != os.getpid()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
