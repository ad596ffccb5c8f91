"""The executor *slurm*: an attempt is a job of a cluster, and its process one on some node of it.

The run tree, its state and this very Python are seen from the nodes at the same paths. Of a node's processes
nothing is known here, so what counts is what Slurm says by the attempt's name, and what its folder says
(:mod:`wtwatch.job.elsewhere`). That Slurm does not answer is never an end.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from wtwatch.doors import slurm
from wtwatch.doors.program import DRIVER
from wtwatch.doors.slurm import Listed
from wtwatch.job import elsewhere
from wtwatch.job.attempt import FORCED_AFTER, LOCK, MARK, Result
from wtwatch.job.executor import Executor, Handle, Life, Seen
from wtwatch.job.slurmlook import Look, Looks
from wtwatch.project.jobenv import ALLOCATION
from wtwatch.words.errors import WtwatchError
from wtwatch.words.executors import Place
from wtwatch.words.model import now
from wtwatch.words.resources import Resources

GRACE = 60.0
"""Seconds for which an attempt is waited for of which an answering Slurm has never heard."""

SILENCE = 90.0
"""Seconds without a sign of life after which an attempt that Slurm forgot, or whose node it lost, is over."""

LEFT_OVER = 60.0
"""Seconds after which an attempt that is over is ended in Slurm too, where that still believes in it."""

BOOKED = 20.0
"""Seconds within which the accounting has the exit code of a job that failed (mostly 1 or 2)."""

FRESH = 15.0
"""Seconds for which an answer stands for that Slurm would answer again."""

_WAITING = (
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
)
_HELD_FOR_GOOD = ("launch failed requeued held", "JobHoldMaxRequeue")
"""Reasons (squeue(1)) why a job waits that Slurm itself put back, and will not start: nobody held it."""

_LIVING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
_LOST = ("NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL")

_NOT_STARTED = "its node could not start it"

_WHY = {
    "TIMEOUT": "its time limit was reached",
    "OUT_OF_MEMORY": "it used more memory than it had asked for",
    "PREEMPTED": "it was preempted: others go first in its partition",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "LAUNCH_FAILED": _NOT_STARTED,
    "DEADLINE": "its deadline passed",
    "CANCELLED": "it was cancelled in Slurm",
    "REVOKED": "another cluster took it",
}
"""States of jobs that ended (squeue(1), JOB STATE CODES), in words."""

_MANY = 10_000
"""Facts on attempts that are kept at most."""

_NOT_THERE = ("TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "DBUS_SESSION_BUS_ADDRESS")
"""Variables that hold on the host where one submits alone; a node has its own of them."""

_SCRIPT = """#!/bin/bash
unset {driver}
{{ {setup}
}} || {{ echo "wtwatch: the setup line of this project failed (wtwatch config executor.setup)"; exit 78; }}
trap : TERM INT HUP
{mark}={uuid} {command} &
child=$!
while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done
[ -e {outcome} ] || {sweep}
exit "$code"
"""
"""What a node runs. The shell waits for the attempt's process, whatever it is told, and cleans up behind it.

It is not an attempt's process itself: what ends those would end it, and Slurm then all.
"""


def name_of(uuid: str) -> str:
    """Return the name by which Slurm knows an attempt."""
    return f"wtw-{uuid}"


class Slurm(Executor):
    """Submits attempts to the Slurm of ``place``, and finds them by their names."""

    name = "slurm"
    shared_host = False

    def __init__(
        self, place: Place, looks: Looks | None = None, grace: float = GRACE, silence: float = SILENCE
    ) -> None:
        self._place, self._looks = place, looks or Looks()
        self._grace, self._silence = grace, silence
        self._since: dict[tuple[str, str], tuple[object, float]] = {}
        self._told: set[str] = set()
        self._polled: dict[str, tuple[Handle, float]] = {}

    def expect(self) -> None:
        """Get ready for jobs that are due; there is nothing to do; see :meth:`Executor.expect`."""

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        """Submit ``command``; see :meth:`Executor.submit`.

        The folder says so before and after. If it said so already, the attempt is looked for by name first:
        whoever submitted it was killed, or got no answer.
        """
        if elsewhere.is_claimed(handle.folder):
            return handle._replace(native=elsewhere.native_of(handle.folder))
        self._demand_answer()
        known = self._found(handle) if elsewhere.is_submitted(handle.folder) else None
        if known is None:
            elsewhere.write_handle(handle.folder, self.name, None)
            options = [*_options(handle, where, want, self._place)]
            known = slurm.submit(options, _script(handle, command, self._place), _environment(env))
        self._looks.forget(name_of(handle.uuid))
        elsewhere.write_handle(handle.folder, self.name, known)
        return handle._replace(native=known)

    def _demand_answer(self) -> None:
        """Raise :class:`WtwatchError` unless Slurm answered a moment ago: then it will again."""
        look = self._looks.newest([])
        if look is None or look.listed is None or time.monotonic() - look.begun > FRESH:
            why = look.why if look is not None and look.why else "Slurm has not answered yet"
            raise WtwatchError(f"{why}.", "It goes on by itself when it does: see squeue --me")

    def _found(self, handle: Handle) -> str | None:
        """Return the number of an attempt that Slurm has; it may have it though submitting it failed."""
        name = name_of(handle.uuid)
        for one in slurm.listed():
            if one.name == name:
                return one.id
        return None

    def poll(self, handles: Sequence[Handle]) -> dict[str, Seen]:
        """Return what Slurm said of attempts the last time it was asked, some seconds ago at most."""
        look = self._looks.newest([name_of(handle.uuid) for handle in handles])
        self._polled |= {handle.uuid: (handle, time.monotonic()) for handle in handles}
        if look is not None and look.listed is not None:
            self._end_leftovers(look.listed)
        return {handle.uuid: self._seen(handle, look) for handle in handles}

    def _end_leftovers(self, listed: Mapping[str, Listed]) -> None:
        """End what Slurm still has of attempts that are over, as a controller that was killed has."""
        latest = time.monotonic() - LEFT_OVER
        for handle in [handle for handle, at in self._polled.values() if at < latest]:
            del self._polled[handle.uuid]
            one = listed.get(name_of(handle.uuid))
            if one is not None and one.state in (*_WAITING, *_LIVING) and handle.folder.result() is not None:
                self._looks.end([one.name], force=False)

    def cancel(self, handles: Sequence[Handle], force: bool) -> None:
        """Have Slurm end attempts: TERM, and KILL after its KillWait; by force at once."""
        names = [name_of(handle.uuid) for handle in handles]
        self._told |= set(names)
        self._looks.end(names, force)

    def _seen(self, handle: Handle, look: Look | None) -> Seen:
        if look is None or look.listed is None:
            return Seen(Life.UNKNOWN, look.why if look else "Slurm has not answered yet")
        name = name_of(handle.uuid)
        one = look.listed.get(name)
        if one is not None and one.state in _WAITING:
            return self._waiting(handle, one.reason, look)
        if one is not None and one.state in _LIVING:
            return Seen(Life.ALIVE, f"on {one.nodes}" if one.nodes else None)
        known = (look.accounted or {}).get(name)
        if one is not None:
            return self._over(handle, one.state, known.exit if known else "", look)
        if known is not None and known.state.split()[0] not in (*_WAITING, *_LIVING):
            return self._over(handle, known.state.split()[0], known.exit, look)
        return self._unheard_of(handle, look)

    def _waiting(self, handle: Handle, reason: str, look: Look) -> Seen:
        """Judge an attempt that waits: if it was begun before, the site put it back, and it is over.

        It was if it had begun before Slurm was asked; else it has begun since then. One that its node could
        not start would be held until somebody lets it go, so it is over too.
        """
        if reason in _HELD_FOR_GOOD and self._is_given_up(handle, _ended_early(_NOT_STARTED)):
            self._looks.end([name_of(handle.uuid)], force=True)
            return Seen(Life.GONE, _NOT_STARTED)
        begun = elsewhere.is_claimed(handle.folder)
        if not begun or time.monotonic() - self._lasting(handle, "claimed", begun) >= look.begun:
            return Seen(Life.QUEUED, None if reason == "None" else reason)
        self._looks.end([name_of(handle.uuid)], force=True)
        return self._settled(handle, "Slurm put it back into its queue, and it does not run twice", look)

    def _over(self, handle: Handle, state: str, exit_code: str, look: Look) -> Seen:
        """Judge an attempt that ended, as Slurm says."""
        why = _WHY.get(state)
        unable = Result(1, (), now(), f"it could not begin, see {handle.folder.log}")
        if self._is_given_up(handle, _ended_early(why) if why else unable):
            return Seen(Life.GONE, why)
        if state in _LOST and not self._is_silent(handle):
            return Seen(Life.ALIVE, f"{why or state}, but it gives signs of life")
        is_booked = exit_code or look.accounted is None or state != "FAILED"
        if not is_booked and self._lasting(handle, "unbooked", True) < BOOKED:
            return Seen(Life.UNKNOWN, "it is over; what the accounting says of it is waited for")
        if why is None and state == "FAILED" and exit_code.endswith((":9", "137:0")):
            why = "it was killed, perhaps for the memory that it used"
        return self._settled(handle, why, look)

    def _is_given_up(self, handle: Handle, result: Result) -> bool:
        """Return whether an attempt ended just now as nobody has begun it; see :func:`elsewhere.give_up`."""
        with suppress(OSError):
            return elsewhere.give_up(handle.folder, result)
        return False

    def _unheard_of(self, handle: Handle, look: Look) -> Seen:
        """Judge an attempt that neither Slurm's controller nor its accounting has."""
        name = name_of(handle.uuid)
        if not self._looks.says_nothing_of(name, look):
            return Seen(Life.UNKNOWN, "Slurm has not been asked for it yet")
        if elsewhere.is_claimed(handle.folder):
            if not self._is_silent(handle):
                return Seen(Life.UNKNOWN, "Slurm does not know of it any more; its signs of life are watched")
            return self._settled(
                handle, "Slurm does not know of it any more, and it gives no sign of life", look
            )
        grace = 0.0 if name in self._told else self._grace
        if self._lasting(handle, "unheard of", True) < grace:
            return Seen(Life.UNKNOWN, "Slurm has not heard of it so far")
        why = "it never reached Slurm"
        if self._is_given_up(handle, Result(None, (), now(), why, began=False)):
            return Seen(Life.GONE, why)
        return Seen(Life.UNKNOWN, "it has begun this very moment")

    def _settled(self, handle: Handle, why: str | None, look: Look) -> Seen:
        """Return that an attempt is gone, once two looks in a row say so: files of a node take a while."""
        first = self._since.setdefault((handle.uuid, "gone"), (True, look.begun))[1]
        if look.begun > first or handle.folder.result() is not None:
            return Seen(Life.GONE, why)
        return Seen(Life.UNKNOWN, f"it is over, and its files are waited for{f': {why}' if why else ''}")

    def _is_silent(self, handle: Handle) -> bool:
        """Return whether an attempt has shown no sign of life for long, as seen from here by its changes."""
        return self._lasting(handle, "beat", elsewhere.beat(handle.folder)) >= self._silence

    def _lasting(self, handle: Handle, what: str, value: object) -> float:
        """Return for how many seconds something has been as it is now."""
        key, at = (handle.uuid, what), time.monotonic()
        if len(self._since) > _MANY:  # of attempts long over; what lasts is counted anew
            self._since.clear()
        if key not in self._since or self._since[key][0] != value:
            self._since[key] = (value, at)
        return at - self._since[key][1]


def _ended_early(why: str) -> Result:
    """Return what an attempt came to that ended in Slurm before it began."""
    return Result(None, (), now(), f"it ended before it began: {why}", stopped=True)


def _options(handle: Handle, where: Path, want: Resources, place: Place) -> list[str]:
    """Return the options of sbatch(1) for an attempt; what the project's settings say comes last."""
    log = str(handle.folder.log).replace("\\", "\\\\").replace("%", "%%")
    found = [f"--job-name={name_of(handle.uuid)}", "--no-requeue", "--nodes=1", "--ntasks=1", "--export=ALL"]
    found += [f"--chdir={where}", f"--output={log}", "--open-mode=append"]
    found += [f"--cpus-per-task={want.cpus}"] if want.cpus is not None else []
    found += [f"--mem={-(-want.mem * 1_000_000 // 2**20)}M"] if want.mem is not None else []
    found += [f"--time={want.minutes}"] if want.minutes is not None else []
    found += [f"--gres=gpu:{want.gpus}"] if want.gpus else []
    partition = want.partition or place.partition
    found += [f"--partition={partition}"] if partition else []
    found += [f"--account={place.account}"] if place.account else []
    return [*found, *place.options, *want.extra]


def _script(handle: Handle, command: Sequence[str], place: Place) -> str:
    ending = f"from wtwatch.job.elsewhere import end_processes as end; end({MARK!r}, {handle.uuid!r})"
    return _SCRIPT.format(
        driver=DRIVER,
        setup=place.setup or ":",
        mark=MARK,
        uuid=handle.uuid,
        command=shlex.join(command),
        outcome=shlex.quote(str(handle.folder.path / "outcome")),
        sweep=shlex.join([sys.executable, "-P", "-c", ending]),
    )


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment holds on a node: not this host's own, nor what another Slurm job has."""
    apart = (*_NOT_THERE, LOCK, MARK)
    kept = {name: it for name, it in env.items() if name not in apart and not ALLOCATION.fullmatch(name)}
    wait = _kill_wait()
    return kept | ({FORCED_AFTER: str(wait)} if wait else {})


def _kill_wait() -> int | None:
    """Return after how many seconds Slurm forces what it told to end, if it says so."""
    try:
        return _configured_kill_wait()
    except (WtwatchError, OSError, ValueError, IndexError):
        return None


@cache
def _configured_kill_wait() -> int:
    """Return that number, asked for until it is told: no failure to do so is remembered."""
    return int(slurm.configured().get("KillWait", "").split()[0])


LOOKS = Looks()
"""What Slurm says of all jobs of this user, whatever project they are of."""


@cache
def of(place: Place) -> Slurm:
    """Return the executor of a place; there is one of each, which remembers what it saw."""
    return Slurm(place, LOOKS)
