"""The process that a job is: ``python -m wtwatch.job.wrapper [--detach | --once] FOLDER``.

It holds the lock of the run tree until its work is done, and writes into the folder of the attempt what
:mod:`wtwatch.job.attempt` lists; standard output is the job's log. Detached, it outlives whoever started it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from wtwatch.doors.dataset import RunResult, results_of
from wtwatch.doors.files import ring
from wtwatch.doors.processes import bearing, identity, send
from wtwatch.doors.traces import is_full
from wtwatch.job import again, elsewhere, outset, resuming, verdict, ways
from wtwatch.job.attempt import FORCED_AFTER, LOCK, MARK, CommandEnd, Folder, Order, Result
from wtwatch.job.ceilings import Ceilings
from wtwatch.job.holding import Inputs
from wtwatch.job.outset import Ready
from wtwatch.job.saying import say as tell
from wtwatch.job.steps import Steps
from wtwatch.job.uses import Lesson
from wtwatch.job.ways import Around, Ran, Way
from wtwatch.tree.changes import commits_since
from wtwatch.tree.folders import Marks
from wtwatch.tree.states import After, Before
from wtwatch.words import resources
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha, now

GRACE = 5.0
"""Seconds that a job's processes have to end by themselves when the job is told to."""

AGAIN = 1.0
"""Seconds between two looks at a tree on a full disk."""

TOLD = 0.5
"""Seconds within which whoever tells all of a job's processes to end tells this one, too, if not first."""

TAKEN = 75
"""The exit code of a process that found its job done or begun by another one."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Attempt(NamedTuple):
    """What this process does: its folder, what is ordered there, and the files of its steps."""

    folder: Folder
    order: Order
    steps: Steps


class _Stopped(BaseException):
    """The job was told to end; nothing in between may take it for an error of its own."""


def main(words: list[str]) -> int:
    """Do the job of the folder that is the last of ``words``, to its end.

    With ``--detach`` in a process and session of its own; then this returns, with 0, as soon as that process
    said that it started. With ``--once`` it is done in this process, unless another one has done it or begun.
    """
    folder = Folder(Path(words[-1]))
    if "--once" in words:
        return _once(folder)
    if "--detach" not in words:
        _work(folder)
        return 0
    said, say = os.pipe()
    if os.fork():
        os.close(say)
        return 0 if os.read(said, 1) else 1
    os.close(said)
    os.setsid()
    return detached(folder, say)


def _once(folder: Folder) -> int:
    """Do the job here, if nobody has it; return an exit code that tells a cluster how it went."""
    if not elsewhere.claim(folder, f"process {os.getpid()}"):
        tell("This attempt was begun before, or given up, so it is not run again.")
        return TAKEN
    with elsewhere.living(folder):
        _work(folder)
    result = folder.result()
    return 1 if result is None or result.exit is None or result.error else result.exit


def detached(folder: Folder, say: int) -> NoReturn:
    """Do the job of ``folder`` in this process, which leads a session of its own, and end it.

    To the descriptor ``say`` a byte is written as soon as it said that it started.
    """
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
    steps.ended(_carry_out(_Attempt(folder, order, steps)))
    if lock is not None:
        os.chdir("/")  # or who has the lock next finds somebody at work in the tree: this process
        os.close(int(lock))
    ring(order.bell)


def _carry_out(attempt: _Attempt) -> Result:
    folder, order, _ = attempt
    before, end = folder.before(), folder.command()
    if before is not None and end is not None:  # another process came so far, and was killed
        return _ended(attempt, _taken_up(attempt, before), end)
    if order.computed:
        ready = outset.make_ready(folder, order)
        return ready if isinstance(ready, Result) else _saved_again(attempt, ready.before)
    with Inputs(order.run_tree, order.spec, tell) as inputs:
        inputs.begin()
        ready = outset.make_ready(folder, order)
        return ready if isinstance(ready, Result) else _run_through(attempt, ready, inputs)


def _run_through(attempt: _Attempt, ready: Ready, inputs: Inputs) -> Result:
    """Run the command, with its inputs held, and end it."""
    _, order, steps = attempt
    before, way = ready.before, ready.way
    if isinstance(way, Result):
        return way
    ceilings = Ceilings(resources.of(order.spec), lambda: _others(order.uuid, inputs.holders))
    lesson = Lesson(order, outset.demands(order), before, steps)

    def begin(all_was_there: bool) -> None:
        if order.left:
            resuming.put_back(order.run_tree, order.left, order.left_paths)
        inputs.hold(all_was_there and not order.left)
        ceilings.begin()
        lesson.begin()

    around = Around(begin, lesson.end)
    ran, stopped = _guarded(order, lambda: _below(ceilings, lambda: _run(way, around)), inputs.holders)
    inputs.release()
    if not ran.result.began:
        return Result(None, (), now(), ran.result.error, began=False)
    if stopped and results_of(order.run_tree, order.uuid, order.base):  # told to end after its commit
        ran, stopped = Ran(RunResult(0)), False
    elif stopped and ceilings.why:
        tell(f"{ceilings.why}, so it was ended.")
        ran, stopped = Ran(RunResult(1, ceilings.why)), False
    lesson.end()
    end = CommandEnd(ran.result.exit, ran.result.error, ran.code, ran.used)
    if not stopped:
        steps.command_ended(end)
    result = _ended(attempt, ready, end, stopped)
    if not result.stopped:
        inputs.drop_fetched()
    return result


def _saved_again(attempt: _Attempt, before: Before) -> Result:
    """Save what an earlier attempt computed, and run nothing."""
    folder, order, steps = attempt
    assert order.computed is not None and order.left is not None
    found = again.of(Folder(order.computed))
    if found is None:
        return Result(None, (), now(), f"{order.computed} is gone", began=False)
    try:
        folder.write_plan(again.plan(found, order))
        tell("What the attempt before computed is saved now; nothing is run.")
        again.lay_out(order.run_tree, found, order.left)
    except (WtwatchError, OSError) as error:
        return Result(1, (), now(), f"what the attempt before computed cannot be put back: {error}")
    steps.learned(Folder(order.computed).uses())
    steps.command_ended(found.end)
    return _ended(attempt, _taken_up(attempt, before), found.end)


def _taken_up(attempt: _Attempt, before: Before) -> Ready:
    """Return what is to be saved of a command that ran in another process; without a plan, nothing is."""
    folder, order, _ = attempt
    return Ready(before, ways.taken_up(order, outset.demands(order), folder) or RunResult(0))


def _ended(attempt: _Attempt, ready: Ready, end: CommandEnd, stopped: bool = False) -> Result:
    """Look how the command left the tree, judge that, and save it if it is good."""
    folder, order, steps = attempt
    before, way, marks = ready
    found: tuple[str, ...] = ()
    code, error = end.exit, end.error
    try:
        after = _look_after(order.run_tree, folder, marks)
        steps.looked_after(after)
        found = verdict.of_attempt(outset.demands(order), before, after, folder.written())
        steps.verified(found)
        if not isinstance(way, RunResult | Result) and (code, error) == (0, None) and not (stopped or found):
            saved, stopped = _guarded(order, lambda: Ran(way.save(before, after, end)))
            code, error = saved.result.exit, saved.result.error
            if stopped and results_of(order.run_tree, order.uuid, order.base):
                code, error, stopped = 0, None, False
            if error is not None and folder.plan() is not None:
                folder.write_refused(error)
    except (WtwatchError, OSError) as trouble:  # the job may have done anything to the tree
        found = (f"how it left the tree cannot be seen: {trouble}",)
    with suppress(OSError):
        sys.stdout.flush()
    wrong = verdict.in_words(error, found)
    return Result(None if stopped else code, _commits(order), now(), wrong, stopped)


def _look_after(run_tree: Path, folder: Folder, marks: Marks | None) -> After:
    """Look how the tree stands; on a full disk again, until there is room: git waits for that, and gives up.

    Where git asks git-annex for what is in a file, that needs room, on the disk of the repository: that of
    the attempt's folder.
    """
    while True:
        try:
            return After.of(run_tree, outset.excludes(), marks.scope() if marks else None)
        except (WtwatchError, OSError):
            if not (is_full(run_tree) or is_full(folder.path)):
                raise
        time.sleep(AGAIN)


def _guarded(order: Order, act: Callable[[], Ran], kept: Sequence[int] = ()) -> tuple[Ran, bool]:
    """Do what takes its time; return how it ended, and whether it was told to end before it was done.

    If it was, the job's other processes are ended, but those ``kept``.
    What a signal raises is lost in a destructor (object.__del__), so that it came is noted besides.
    """
    told = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        raise _Stopped

    try:
        for number in SIGNALS:
            signal.signal(number, stop)
        done = outset.fenced(act)
        ran = Ran(done) if isinstance(done, RunResult) else done
        if told and ran.result.exit != 0:
            raise _Stopped
        return ran, False
    except _Stopped:
        _ignore_signals()
        _end_others(order.uuid, kept)
        return Ran(RunResult(1)), True
    finally:
        _ignore_signals()


def _below(ceilings: Ceilings, act: Callable[[], Ran]) -> Ran:
    """Do what must not take more than its ceilings; at one it is stopped as if it was told to end."""

    def reached(_number: int, _frame: FrameType | None) -> None:
        if ceilings.are_open():
            raise _Stopped

    signal.signal(Ceilings.SIGNAL, reached)
    try:
        return act()
    finally:
        ceilings.end()


def _commits(order: Order) -> tuple[Sha, ...]:
    try:
        return commits_since(order.run_tree, order.base)
    except WtwatchError:  # the job may have done anything to the repository
        return ()


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _run(way: Way | RunResult, around: Around) -> Ran:
    if isinstance(way, RunResult):
        return Ran(way)
    ran = way.run(around)
    if ran.code is not None and (-ran.code in SIGNALS or ran.code - 128 in SIGNALS):
        time.sleep(TOLD)  # within which `_Stopped` is raised
    return ran


def _end_others(uuid: str, kept: Sequence[int] = ()) -> None:
    """End the job's other processes: ask first, then force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(WtwatchError):  # another user's, which whoever clears up will name
            send(_others(uuid, kept), number)
        deadline = time.monotonic() + _grace()
        while _others(uuid, kept) and time.monotonic() < deadline:
            time.sleep(0.02)


def _grace() -> float:
    """Return the seconds of grace, fewer where whoever started us forces us soon after it told us to end."""
    return min(GRACE, float(os.environ.get(FORCED_AFTER, "inf")) / 3)


def _others(uuid: str, kept: Sequence[int] = ()) -> list[int]:
    """Return the processes of the job without this one, those ``kept``, and who started it, which may end."""
    apart = (os.getpid(), os.getppid(), *kept)
    return [pid for pid in bearing(MARK, uuid, identity(os.getpid())) if pid not in apart]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
