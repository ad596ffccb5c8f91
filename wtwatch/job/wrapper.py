"""The process that a job is: ``python -m wtwatch.job.wrapper FOLDER``. It outlives whoever started it.

It holds the lock of the run tree until its work is done, and writes ``started`` and ``outcome`` into the
folder of the attempt; standard output is the job's log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType

from wtwatch.doors import dataset
from wtwatch.doors.dataset import OUR_KEY, RunResult
from wtwatch.doors.files import ring
from wtwatch.doors.processes import bearing, identity, send
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import LOCK, MARK, Draft, Folder, Order, Result
from wtwatch.tree.changes import commits_since
from wtwatch.words.errors import NoIdentity, WtwatchError
from wtwatch.words.model import Sha, now

GRACE = 5.0
"""Seconds that a job's processes have to end by themselves when the job is told to."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Stopped(BaseException):
    """The job was told to end; nothing in between may take it for an error of its own."""


def main(words: list[str]) -> int:
    """Do the job of the folder that ``words`` names, in a process and session of its own.

    Returns, with 0, as soon as that process said that it started.
    """
    said, say = os.pipe()
    if os.fork():
        os.close(say)
        return 0 if os.read(said, 1) else 1
    os.close(said)
    os.setsid()
    _work(Folder(Path(words[0])), say)
    os._exit(0)


def _work(folder: Folder, say: int) -> None:
    order = folder.order()
    myself = identity(os.getpid())
    assert order is not None and myself is not None
    lock = os.environ.pop(LOCK, None)
    if lock is not None:
        os.set_inheritable(int(lock), False)  # the command must not hold it beyond our end
    draft = Draft(folder)
    folder.write_started(myself, order.uuid, now())
    os.write(say, b"!")
    os.close(say)
    result = _carry_out(order)
    draft.publish(result)
    if lock is not None:
        os.close(int(lock))
    ring(order.bell)


def _carry_out(order: Order) -> Result:
    stopped = False
    try:
        for number in SIGNALS:
            signal.signal(number, _stop)
        ran = _run(order)
    except _Stopped:
        _ignore_signals()
        stopped = True
        _end_others(order.uuid)
        ran = RunResult(1)
    except Exception as error:  # the last fence: whatever it was, the outcome must say it
        with suppress(OSError):  # the log may be on a full disk
            traceback.print_exc()
        ran = RunResult(1, f"{type(error).__name__}: {error}")
    finally:
        _ignore_signals()
    with suppress(OSError):
        sys.stdout.flush()
    return Result(None if stopped else ran.exit, _commits(order), now(), ran.error, stopped)


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


def _run(order: Order) -> RunResult:
    if not order.spec.plain:
        dataset.load()
    here = Repo(order.code_path).resolve("HEAD")
    if here != order.code:
        return RunResult(1, f"code moved: it stands at {here}, but the job is for {order.code}")
    if order.spec.plain:
        return RunResult(subprocess.Popen(["/bin/sh", "-c", order.spec.command]).wait())
    if not Repo(order.run_tree).knows_author():
        unknown = NoIdentity(str(order.run_tree))  # DataLad would say so too, hours later
        return RunResult(1, f"{unknown.message} {unknown.hint}")
    extra = {OUR_KEY: {"attempt": order.uuid, "code": order.code, "superdataset": order.base}}
    act = dataset.rerun if order.spec.rerun_of else dataset.run
    return act(order.run_tree, order.spec, extra)


def _end_others(uuid: str) -> None:
    """End the job's other processes: ask first, then force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        send(_others(uuid), number)
        deadline = time.monotonic() + GRACE
        while _others(uuid) and time.monotonic() < deadline:
            time.sleep(0.02)


def _others(uuid: str) -> list[int]:
    return [pid for pid in bearing(MARK, uuid, identity(os.getpid())) if pid != os.getpid()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
