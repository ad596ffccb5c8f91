"""Is ``code/.venv`` of the run tree right for its commit? Build, verify, repair.

Right means: set up for the requirements of this commit, able to start, and importing the project from *this*
tree. An environment that cannot be made right is put back as it was, and the queue waits.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import tomli

from wtwatch.config import Project
from wtwatch.errors import WtwatchError
from wtwatch.files import write_whole
from wtwatch.journal import Journal
from wtwatch.model import EnvironmentState, now
from wtwatch.processes import tree_env
from wtwatch.repo import TreeEntry

REQUIREMENTS = ("pyproject.toml", "uv.lock", "requirements*.txt", ".python-version")
"""Files of the top folder of code that say what the environment has to hold."""

# Looks packages up without running a line of them: a mistake in the code is no fault of the environment.
_PROBE = """
import importlib.util, json, sys
found = {}
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    where = spec and (spec.origin or next(iter(spec.submodule_search_locations or []), None))
    found[name] = where
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Verdict:
    """How the environment stands, and why."""

    state: EnvironmentState
    detail: str | None = None

    @property
    def ready(self) -> bool:
        """Jobs may start."""
        return self.state in (EnvironmentState.OK, EnvironmentState.NONE)


def requirements(tree: Iterable[TreeEntry]) -> str:
    """Return which files, at which content, say what the environment has to hold; "" without any."""
    lines = sorted(
        f"{entry.path} {entry.sha}"
        for entry in tree
        if any(fnmatch(entry.path, pattern) for pattern in REQUIREMENTS)
    )
    return "\n".join(lines)


def noted(project: Project, wanted: str) -> Verdict:
    """Return what is known without starting anything: the last verdict, if it is still about this commit."""
    if not _commands(project):
        return Verdict(EnvironmentState.NONE)
    if not os.path.lexists(_folder(project)):
        return Verdict(EnvironmentState.MISSING, f"{_folder(project)} is not there")
    note = _read_note(project)
    if note.get("wanted") != wanted:
        return Verdict(EnvironmentState.STALE, "set up for other requirements")
    return Verdict(EnvironmentState(note["state"]), note.get("detail"))


@dataclass(frozen=True)
class Probe:
    """A look into the environment that is under way; see :func:`start_probe`."""

    names: tuple[str, ...]
    process: subprocess.Popen[str] | None


def start_probe(project: Project) -> Probe:
    """Start to ask the environment where it imports the project from; the answer is due in some 15 ms."""
    names = packages(project.run_code)
    python = _folder(project) / "bin" / "python"
    if not _commands(project) or not python.exists():
        return Probe(names, None)
    command = [str(python), "-I", "-c", _PROBE, *names]
    try:
        process = subprocess.Popen(
            command,
            cwd=project.run_code,
            env=tree_env(project),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError:
        return Probe(names, None)
    return Probe(names, process)


def finish_probe(project: Project, probe: Probe, wanted: str) -> Verdict:
    """Return the verdict on the environment, and note it."""
    verdict = _judge(project, probe, wanted)
    if verdict.state in (EnvironmentState.OK, EnvironmentState.BROKEN):
        _note(project, wanted, verdict)
    return verdict


def _judge(project: Project, probe: Probe, wanted: str) -> Verdict:
    before = noted(project, wanted)
    if before.state not in (EnvironmentState.OK, EnvironmentState.BROKEN):
        if probe.process:
            probe.process.communicate()
        return before
    if probe.process is None:
        return Verdict(EnvironmentState.BROKEN, f"{_folder(project)} has no python that starts")
    out, err = probe.process.communicate()
    if probe.process.returncode:
        last = (err.strip().splitlines() or ["no word"])[-1]
        return Verdict(EnvironmentState.BROKEN, f"its python fails: {last}")
    found = json.loads(out)
    home = project.run_code.resolve()
    for name in probe.names:
        where = found[name]
        if where is None:
            return Verdict(EnvironmentState.BROKEN, f"it has no {name}")
        if not Path(where).resolve().is_relative_to(home):
            return Verdict(EnvironmentState.BROKEN, f"it imports {name} from {where}, which is another tree")
    return Verdict(EnvironmentState.OK)


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


def set_up(
    project: Project, wanted: str, verdict: Verdict, stop: Callable[[], bool] = lambda: False
) -> Verdict:
    """Bring the environment up to date after ``verdict`` said that it is not right; return the new verdict.

    Other requirements are met in place. A broken one is set aside, and put back if the new one cannot be
    made. ``stop`` is asked several times a second; when it says so, the set-up is given up. With the tree
    lock held by the caller. Takes as long as the set-up command does.
    """
    aside = verdict.state is EnvironmentState.BROKEN
    if aside:
        _set_aside(project)
    problem = _run_set_up(project, stop)
    if problem is None:
        after = _judged_anew(project, wanted)
        if after.ready:
            _journal(project).close()
            return after
        if not aside:
            return set_up(project, wanted, after, stop)
        problem = f"the new one is not right either: {after.detail}"
    if aside:
        recover(project)
        problem += "; the old one is back in its place"
    failed = Verdict(EnvironmentState.BROKEN, problem)
    _note(project, wanted, failed)
    return failed


def _judged_anew(project: Project, wanted: str) -> Verdict:
    _note(project, wanted, Verdict(EnvironmentState.OK))
    return finish_probe(project, start_probe(project), wanted)


def _set_aside(project: Project) -> Path:
    target = project.beside / "environments" / f"{now():%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(parents=True, exist_ok=True)
    _journal(project).open({"aside": str(target)})
    _folder(project).rename(target)
    return target


def recover(project: Project) -> None:
    """Put an environment back that was set aside for a rebuild which did not end well."""
    journal = _journal(project)
    cut_off = journal.read()
    if cut_off is None:
        return
    aside, place = Path(cut_off["aside"]), _folder(project)
    if aside.exists():
        if place.is_symlink():
            place.unlink()
        elif place.exists():  # half-made by us
            shutil.rmtree(place)
        aside.rename(place)
    journal.close()


def _journal(project: Project) -> Journal:
    return Journal(project.state / "journal.environment")


def _run_set_up(project: Project, stop: Callable[[], bool]) -> str | None:
    """Run the set-up; return ``None``, or what went wrong with the tail of its log."""
    log = project.state / "logs" / f"environment-{now():%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for command in _commands(project):
        shown = command if isinstance(command, str) else " ".join(command)
        with log.open("a", encoding="utf-8") as out:
            out.write(f"$ {shown}\n")
            out.flush()
            try:
                process = subprocess.Popen(
                    command,
                    shell=isinstance(command, str),
                    cwd=project.run_code,
                    env=tree_env(project),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
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
                os.killpg(process.pid, signal.SIGTERM)
                return process.wait()


def _commands(project: Project) -> list[list[str] | str]:
    """Return what sets the environment up here; nothing where wtwatch does not look after one."""
    if project.environment == "none":
        return []
    if project.environment != "auto":
        return [project.environment]
    code = project.run_code
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


def _folder(project: Project) -> Path:
    return project.run_code / ".venv"


def _note_file(project: Project) -> Path:
    return project.state / "environment.json"


def _read_note(project: Project) -> dict[str, str]:
    try:
        note = json.loads(_note_file(project).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _note(project: Project, wanted: str, verdict: Verdict) -> None:
    text = json.dumps({"wanted": wanted, "state": verdict.state.value, "detail": verdict.detail})
    if _read_note(project) != json.loads(text):
        write_whole(_note_file(project), text)


def forget_failure(project: Project) -> None:
    """Let the next reconcile try again to set up an environment whose set-up failed."""
    if _read_note(project).get("state") == EnvironmentState.BROKEN.value:
        _note_file(project).unlink(missing_ok=True)


def require_uv(project: Project) -> None:
    """Raise :class:`WtwatchError` if the set-up needs uv and there is none."""
    needs = any(isinstance(command, list) and command[0] == "uv" for command in _commands(project))
    if needs and shutil.which("uv", path=tree_env(project)["PATH"]) is None:
        raise WtwatchError(
            "The code has Python requirements, but uv is not on PATH to set them up.",
            "Install uv (https://docs.astral.sh/uv), or give --env none or --env 'COMMAND'.",
        )
