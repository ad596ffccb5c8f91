"""The only door to Slurm: its own programs, each with a time limit, none with what the user's shell sets.

See sbatch(1), squeue(1), sacct(1), scancel(1), scontrol(1). Each makes its own view the truth, so jobs are
found by their *names*: the controller gives a number out again if it is killed within a second of a
submission, and the accounting has no comments.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.program import Asking
from wtwatch.words.errors import CommandFailed, Refused, WtwatchError

LIMIT = 12.0
"""Seconds for an answer: with a controller that is down, Slurm's programs themselves try for 9 and more."""

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")

_SETTING = re.compile(r"(SBATCH|SQUEUE|SACCT|SCANCEL|SALLOC|SRUN|SINFO|SLURM)_.*")

_OF_THE_NETWORK = (
    errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EPIPE,
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EAGAIN, errno.EINTR,
    errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE,
)  # fmt: skip

_PASSING = re.compile(
    r"unable to (contact|resolve)|timed out|zero bytes|temporarily unable|standby|authentication|munge"
    r"|shutdown in progress|MaxSubmit|gave no answer|" + "|".join(map(os.strerror, _OF_THE_NETWORK)),
    re.IGNORECASE,
)
"""Words of Slurm (slurm_errno.c, slurm_strerror_tab) and the system (errno(3)) for what passes by itself."""


class Listed(NamedTuple):
    """A job as the controller has it; ``reason`` is why it waits, ``nodes`` where it runs, if it does."""

    id: str
    name: str
    state: str
    reason: str
    nodes: str


class Accounted(NamedTuple):
    """A job as the accounting has it; ``exit`` is its exit code and the signal that it got: "0:9"."""

    id: str
    name: str
    state: str
    exit: str
    nodes: str


def submit(options: Sequence[str], script: str, env: Mapping[str, str]) -> str:
    """Submit a batch script, whose environment begins with ``env``; return the job's number.

    What finds Slurm itself is added to that. Raises :class:`Refused`, with sbatch's own words, for what Slurm
    will never take, and any other :class:`WtwatchError` where it may yet, or has it all the same: then it is
    found by its name.
    """
    try:
        answer = _call(["sbatch", "--parsable", *options], dict(env), script)
    except CommandFailed as error:
        lines = (line.removeprefix("sbatch: ").removeprefix("error: ") for line in error.stderr.splitlines())
        words = f"sbatch says: {' '.join(lines) or 'nothing'}"
        if _PASSING.search(error.stderr):
            raise WtwatchError(words, "It is tried again by itself.") from error
        raise Refused(words, "wtwatch config executor, or what the job itself asks for.") from error
    return answer.strip().partition(";")[0]


def listed() -> list[Listed]:
    """Return the user's jobs that the controller knows, for some minutes also those that ended.

    Raises :class:`WtwatchError` if it does not answer.
    """
    words = ["squeue", "--noheader", f"--user={os.geteuid()}", "--states=all", "--format=%A|%j|%T|%r|%N"]
    return [Listed(*line.split("|", 4)) for line in _lines(words) if line.count("|") >= 4]


def accounted(names: Iterable[str], since: str) -> list[Accounted]:
    """Return what the accounting has of the user's jobs of these names, from a day ("2026-11-26") on.

    Raises :class:`WtwatchError` if there is no accounting, or it does not answer.
    """
    words = ["sacct", "--noheader", "--allocations", "--parsable2", f"--starttime={since}"]
    words += [f"--user={os.geteuid()}", f"--name={','.join(names)}"]
    words += ["--format=jobid,jobname,state,exitcode,nodelist"]
    return [Accounted(*line.split("|", 4)) for line in _lines(words) if line.count("|") >= 4]


def cancel(numbers: Sequence[str], force: bool) -> None:
    """Tell jobs to end (TERM, and KILL after the site's KillWait), or make them; those over are passed over.

    Raises :class:`WtwatchError` if that cannot be asked for.
    """
    kill = ["--signal=KILL", "--full"] if force else []
    if numbers:
        _lines(["scancel", *kill, *numbers], ok=None)


def configured() -> dict[str, str]:
    """Return how Slurm is set up (``scontrol show config``); raises :class:`WtwatchError` without answer."""
    pairs = (line.partition("=") for line in _lines(["scontrol", "show", "config"]))
    return {name.strip(): value.strip() for name, found, value in pairs if found}


def partitions() -> list[str]:
    """Return the partitions that take jobs of the user; raises :class:`WtwatchError` without an answer."""
    return [line.strip() for line in _lines(["sinfo", "--noheader", "--format=%R"]) if line.strip()]


def accounts() -> list[str]:
    """Return the accounts that the user may have jobs booked on; raises :class:`WtwatchError` without any."""
    words = ["sacctmgr", "--noheader", "--parsable2", "list", "associations", "format=account"]
    return sorted(set(filter(None, _lines([*words, f"user={_user()}"]))))


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _lines(words: Sequence[str], ok: Iterable[int] | None = (0,)) -> list[str]:
    return _call(words, {}, ok=ok).splitlines()


def _call(
    words: Sequence[str],
    env: Mapping[str, str],
    feed: str | None = None,
    ok: Iterable[int] | None = (0,),
) -> str:
    program = shutil.which(words[0])
    if program is None:
        raise WtwatchError(
            f"There is no {words[0]} on PATH.",
            "Use wtwatch on a login node of the cluster; or: wtwatch config executor.kind here",
        )
    given = env or {name: value for name, value in os.environ.items() if not _SETTING.fullmatch(name)}
    with Asking(
        [program, *words[1:]], Path("/"), {**given, **_reaching()}, feed=feed is not None, limit=LIMIT
    ) as asking:
        return asking.answer(ok, feed)


def _reaching() -> dict[str, str]:
    """Return the variable that leads to a Slurm which is not where it usually is."""
    return {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
