"""Run what sets an environment up: in code's folder, in a process group, with a log and a time limit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from wtwatch.doors.program import driven
from wtwatch.project.jobenv import allowed, for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment.installed import interpreter
from wtwatch.tree.environment.kind import Command
from wtwatch.words.model import now

KEPT_LOGS = 20
"""Logs of set-ups that are kept beside the new one."""

PATIENCE = 10.0
"""Seconds that a set-up which was told to end may take for that."""

_INSTALLERS = re.compile(r"(UV|PIP|POETRY)_")
_BENDING = re.compile(
    r"UV_(NO_EDITABLE|FROZEN|LOCKED|NO_SYNC|ACTIVE|PROJECT.*|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|WORKING_DIR.*"
    r"|NO_(DEV|GROUP|DEFAULT_GROUPS)|DEV|EXCLUDE_NEWER|ENV_FILE|NO_BINARY.*|NO_BUILD.*|RESOLUTION|PRERELEASE"
    r"|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|TARGET|PREFIX|COMPILE_BYTECODE)$"
    r"|PIP_(TARGET|PREFIX|ROOT|USER|REQUIRE_VIRTUALENV|PYTHON|CONSTRAINT|REQUIREMENT|EDITABLE|NO_DEPS|PRE)$"
    r"|POETRY_VIRTUALENVS_.*"
)
"""Variables of installers that change what is installed, or where; the others say how it is fetched."""


class Stops(NamedTuple):
    """What may end a set-up: a question that is asked several times a second, and how many seconds it has.

    ``lock`` is a descriptor that its commands inherit: they may outlive a daemon that is killed.
    """

    asked: Callable[[], bool]
    seconds: float
    lock: int


class Ended(NamedTuple):
    """How a command ended: its exit code, or why there is none, and what it printed."""

    code: int
    said: str
    reason: str | None = None


def for_set_up(tree: RunTree) -> dict[str, str]:
    """Return the environment of what sets one up: that of jobs, with the installers that the user has.

    In a lane uv is told to take the Python that the run tree's environment was made with.
    """
    env = for_jobs(tree) | {name: value for name, value in os.environ.items() if _INSTALLERS.match(name)}
    users = allowed(tree, os.environ.get("PATH", os.defpath).split(os.pathsep))
    env["PATH"] = os.pathsep.join(dict.fromkeys([*env["PATH"].split(os.pathsep), *list(users)[:-1]]))
    for active in ("VIRTUAL_ENV", "CONDA_PREFIX"):  # it may be broken, and is to be told by where it lies
        env.pop(active, None)
    own = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "POETRY_VIRTUALENVS_CREATE": "true"}
    if tree.lane is not None and (same := interpreter(RunTree.of(tree.project).prefix)):
        own["UV_PYTHON"] = str(same)  # else results would depend on where they were made
    return {name: value for name, value in env.items() if not _BENDING.match(name)} | own | driven()


def shown(command: Command) -> str:
    """Return a command as people read it."""
    return command if isinstance(command, str) else " ".join(command)


def ask(tree: RunTree, command: Command, stops: Stops) -> Ended:
    """Run a command that changes nothing, and return what it said."""
    with tempfile.TemporaryFile() as out:
        return _run(tree, command, stops, out)


def carry_out(tree: RunTree, commands: Iterable[Command], stops: Stops) -> str | None:
    """Run commands one after the other; return ``None``, or what went wrong with the tail of their log."""
    log = _new_log(tree)
    for command in commands:
        with log.open("a+b") as out:
            out.write(f"$ {shown(command)}\n".encode())
            out.flush()
            ended = _run(tree, command, stops, out)
        if ended.code:
            reason = ended.reason or f"ended with {ended.code}"
            return f"`{shown(command)}` {reason}: {_why(ended.said)} (log: {log})"
    return None


def _why(said: str) -> str:
    """Return the last lines of what a command said, and before them the first that calls itself an error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = [line for line in lines if line.lower().startswith("error")][:1]
    return " / ".join(dict.fromkeys([*first, *lines[-3:]]))


def _new_log(tree: RunTree) -> Path:
    log = tree.state / "logs" / f"environment-{now():%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(exist_ok=True)
    for old in sorted(log.parent.glob("environment-*.log"))[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
    return log


def _run(tree: RunTree, command: Command, stops: Stops, out: IO[bytes]) -> Ended:
    begin = out.tell()
    with _building_elsewhere() as builds:
        try:
            process = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                cwd=tree.code_folder,
                env=builds | for_set_up(tree),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[stops.lock],
            )
        except FileNotFoundError:
            missing = f"{command[0]} is not on PATH (install it, or choose another --env at `wtwatch init`)"
            return Ended(127, missing, "cannot be run")
        code, reason = _wait(process, stops)
    out.seek(begin)
    return Ended(code, out.read().decode("utf-8", "replace"), reason)


@contextmanager
def _building_elsewhere() -> Iterator[dict[str, str]]:
    """Yield the variable by which setuptools builds packages in a folder of its own, which then goes.

    A ``build/`` in code would be an edit, and modules in it that code has no more would be installed on
    (setuptools' documentation: "Configuring setuptools using setup.cfg files", DIST_EXTRA_CONFIG).
    """
    with tempfile.TemporaryDirectory(prefix="wtwatch-build-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "setup.cfg"
        file.write_text(f"[build]\nbuild_base = {folder}/build\n")
        yield {"DIST_EXTRA_CONFIG": str(file)}


def _wait(process: subprocess.Popen[bytes], stops: Stops) -> tuple[int, str | None]:
    until = time.monotonic() + stops.seconds
    while True:
        try:
            return process.wait(timeout=0.2), None
        except subprocess.TimeoutExpired:
            if stops.asked():
                return _end(process) or 1, "was stopped"
            if time.monotonic() > until:
                return _end(
                    process
                ) or 1, f"was not done after {stops.seconds:g} s (env_limit), and was ended"


def _end(process: subprocess.Popen[bytes]) -> int:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE)
    return process.wait()
