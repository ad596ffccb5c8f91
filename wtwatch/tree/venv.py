"""What the run tree's code says of its environment: how it is set up, and what it has to import."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import tomli

from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.words.model import now

KEPT_LOGS = 20
"""Logs of set-ups that are kept beside the new one."""

PATIENCE = 10.0
"""Seconds that a set-up which was told to end may take for that."""


def folder(tree: RunTree) -> Path:
    """Return where the run tree's environment lies."""
    return tree.code_folder / ".venv"


def commands(tree: RunTree) -> list[list[str] | str]:
    """Return the commands that set the environment up; none where wtwatch does not look after one."""
    if tree.project.environment == "none":
        return []
    if tree.project.environment != "auto":
        return [tree.project.environment]
    code = tree.code_folder
    if "project" in _pyproject(code):
        if (code / "uv.lock").exists():  # never rewrite a tracked lock: it is code
            return [["uv", "sync", "--locked"]]
        return [_new_venv(), ["uv", "pip", "install", "-p", ".venv", "-e", "."]]
    if (code / "requirements.txt").exists():
        return [_new_venv(), ["uv", "pip", "install", "-p", ".venv", "-r", "requirements.txt"]]
    return []


def _new_venv() -> list[str]:
    return ["uv", "venv", "--allow-existing", ".venv"]


def _pyproject(code: Path) -> dict[str, dict[str, dict[str, object]]]:
    try:
        return tomli.loads((code / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError):
        return {}


def packages(code: Path) -> tuple[str, ...]:
    """Return the top-level packages that the environment has to import from ``code``.

    None where the project is not installed at all: no build system, or ``tool.uv.package = false``.
    """
    table = _pyproject(code)
    uv = table.get("tool", {}).get("uv", {})
    if "project" not in table or not uv.get("package", "build-system" in table):
        return ()
    source = code / "src"
    if source.is_dir():
        folders = [path for path in source.iterdir() if path.is_dir() and any(path.glob("*.py"))]
        modules = list(source.glob("*.py"))
        return tuple(sorted(path.stem for path in (*folders, *modules) if path.stem.isidentifier()))
    name = re.sub(r"[-.]+", "_", str(table["project"].get("name", "")))
    there = (code / name / "__init__.py").exists() or (code / f"{name}.py").exists()
    return (name,) if name and there else ()


def set_up(tree: RunTree, stop: Callable[[], bool], lock: int) -> str | None:
    """Run the commands; return ``None``, or what went wrong with the tail of their log.

    ``stop`` is asked several times a second whether to give up. ``lock`` is a descriptor that the commands
    inherit: they may outlive a daemon that is killed.
    """
    log = tree.state / "logs" / f"environment-{now():%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(exist_ok=True)
    for old in sorted(log.parent.glob("environment-*.log"))[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
    for command in commands(tree):
        shown = command if isinstance(command, str) else " ".join(command)
        with log.open("a", encoding="utf-8") as out:
            out.write(f"$ {shown}\n")
            out.flush()
            try:
                process = subprocess.Popen(
                    command,
                    shell=isinstance(command, str),
                    cwd=tree.code_folder,
                    env=for_jobs(tree),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[lock],
                )
            except FileNotFoundError:
                return f"{command[0]} is not on PATH (install it, or choose another --env at `wtwatch init`)"
            code = _wait(process, stop)
        if code:
            tail = " / ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:])
            return f"`{shown}` ended with {code}: {tail} (log: {log})"
    return None


def _wait(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> int:
    while True:
        try:
            return process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if stop():
                return _end(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE)
    return process.wait()
