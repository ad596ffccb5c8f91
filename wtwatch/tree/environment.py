"""Is ``code/.venv`` of the run tree right for its commit? Build, verify, repair.

Right means: set up for the requirements of this commit, able to start, and importing the project from *this*
tree. An environment that cannot be made right is put back as it was, and the queue waits.
"""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import held, write_whole
from wtwatch.doors.journal import Journal
from wtwatch.doors.porcelain import TreeEntry
from wtwatch.doors.program import Asking
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.tree import venv
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import EnvironmentState, now
from wtwatch.words.model import Verdict as Verdict  # noqa: PLC0414 - what all here comes to

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
print()
print(json.dumps(found))
"""


PROBE_LIMIT = 60.0
"""Seconds that the environment's Python may take to say where it imports from."""


def requirements(entries: Iterable[TreeEntry]) -> str:
    """Return which files, at which content, say what the environment has to hold; "" without any."""
    lines = sorted(
        f"{entry.path} {entry.sha}"
        for entry in entries
        if any(fnmatch(entry.path, pattern) for pattern in REQUIREMENTS)
    )
    return "\n".join(lines)


def noted(tree: RunTree, wanted: str) -> Verdict:
    """Return what is known without starting anything: the last verdict, if it is still about this commit.

    ``BROKEN`` means that a set-up for these very requirements failed, so trying again needs a reason.
    """
    if not venv.commands(tree):
        return Verdict(EnvironmentState.NONE)
    note = _read_note(tree)
    known = note.get("wanted") == wanted and note.get("how") == tree.project.environment
    if known and note.get("state") == "failed":
        return Verdict(EnvironmentState.BROKEN, note.get("detail"))
    own_place = tree.project.environment != "auto" and known  # a command may keep its environment elsewhere
    if not os.path.lexists(venv.folder(tree)) and not own_place:
        return Verdict(EnvironmentState.MISSING, f"{venv.folder(tree)} is not there")
    if not known or note.get("state") != "ok":
        return Verdict(
            EnvironmentState.STALE, note.get("detail") if known else "set up for other requirements"
        )
    return Verdict(EnvironmentState.OK)


class Probe(NamedTuple):
    """A look into the environment that is under way; see :func:`start_probe`."""

    names: tuple[str, ...]
    asking: Asking | None


def start_probe(tree: RunTree) -> Probe:
    """Start to ask the environment where it imports the project from; the answer is due in some 15 ms."""
    names = venv.packages(tree.code_folder)
    python = venv.folder(tree) / "bin" / "python"
    if not venv.commands(tree) or not python.exists():
        return Probe(names, None)
    command = [str(python), "-I", "-c", _PROBE, *names]
    try:
        return Probe(names, Asking(command, tree.code_folder, for_jobs(tree), limit=PROBE_LIMIT))
    except OSError:
        return Probe(names, None)


def finish_probe(tree: RunTree, probe: Probe, wanted: str) -> Verdict:
    """Return the verdict on the environment after a move, and note it if it is bad.

    After a set-up that failed it is ``STALE``: a move is a reason to try once more.
    """
    before, seen = noted(tree, wanted), _judge(tree, probe)
    if before.state is EnvironmentState.BROKEN:
        return Verdict(EnvironmentState.STALE, before.detail)
    if before.state is EnvironmentState.OK and not seen.ready:
        _note(tree, wanted, "broken", seen.detail)
        return seen
    return before


def _judge(tree: RunTree, probe: Probe) -> Verdict:
    """Return what a probe says, whatever the environment was set up for."""
    lenient = tree.project.environment != "auto"
    if probe.asking is None:
        if lenient and not os.path.lexists(venv.folder(tree)):
            return Verdict(EnvironmentState.OK)
        return Verdict(EnvironmentState.BROKEN, f"{venv.folder(tree)} has no python that starts")
    try:
        with probe.asking as asking:
            found = json.loads(asking.answer().splitlines()[-1])
    except CommandFailed as error:
        last = (error.stderr.strip().splitlines() or ["no word"])[-1]
        return Verdict(EnvironmentState.BROKEN, f"its python fails: {last}")
    home = tree.code_folder.resolve()
    for name in probe.names:
        where = found[name]
        if where is None and not lenient:
            return Verdict(EnvironmentState.BROKEN, f"it has no {name}")
        if where is not None and not Path(where).resolve().is_relative_to(home):
            return Verdict(EnvironmentState.BROKEN, f"it imports {name} from {where}, which is another tree")
    return Verdict(EnvironmentState.OK)


def set_up(tree: RunTree, wanted: str, verdict: Verdict, stop: Callable[[], bool] = lambda: False) -> Verdict:
    """Bring the environment up to date after ``verdict`` said that it is not right; return the new verdict.

    Other requirements are met in place. A broken one, and a symlink to one elsewhere, is set aside, and put
    back if the new one cannot be made. ``stop`` is asked several times a second; when it says so, the set-up
    is given up. With the tree lock held by the caller. Takes as long as the set-up command does. Raises
    :class:`Busy` while an earlier set-up is still at work.
    """
    with _lock(tree) as lock:
        in_place = verdict.state is not EnvironmentState.BROKEN and not _leads_elsewhere(tree)
        problem = venv.set_up(tree, stop, lock) if in_place else None
        there = os.path.lexists(venv.folder(tree))
        if not in_place or ((problem is None or there) and not _judge(tree, start_probe(tree)).ready):
            problem = None if stop() else _rebuild(tree, stop, lock)
    if stop():
        return Verdict(EnvironmentState.STALE, "its set-up was stopped")
    if problem is None:
        _note(tree, wanted, "ok", None)
        return Verdict(EnvironmentState.OK)
    _note(tree, wanted, "failed", problem)
    return Verdict(EnvironmentState.BROKEN, problem)


def _leads_elsewhere(tree: RunTree) -> bool:
    """Return whether the environment is a symlink out of code: in place, another tree's would change."""
    place = venv.folder(tree)
    return place.is_symlink() and not place.resolve().is_relative_to(tree.code_folder.resolve())


def _rebuild(tree: RunTree, stop: Callable[[], bool], lock: int) -> str | None:
    """Set the environment aside and make a new one; return ``None``, or what went wrong."""
    moved = os.path.lexists(venv.folder(tree))
    if moved:
        _set_aside(tree)
    problem = venv.set_up(tree, stop, lock)
    if problem is None:
        seen = _judge(tree, start_probe(tree))
        if seen.ready:
            _journal(tree).close()
            return None
        problem = f"the new one is not right either: {seen.detail}"
    if moved:
        _put_back(tree)
        problem += "; the old one is back in its place"
    return problem


def _set_aside(tree: RunTree) -> None:
    target = tree.shelf / "environments" / f"{now():%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(parents=True, exist_ok=True)
    _journal(tree).open({"aside": str(target)})
    venv.folder(tree).rename(target)


def recover(tree: RunTree) -> None:
    """Put an environment back that was set aside for a rebuild which was cut off; it is then tried anew.

    Raises :class:`Busy` while the set-up that was cut off is still at work.
    """
    if _journal(tree).read() is None:
        return
    with _lock(tree):
        _put_back(tree)
        _note_file(tree).unlink(missing_ok=True)


def _put_back(tree: RunTree) -> None:
    import shutil

    cut_off = _journal(tree).read()
    if cut_off is None:
        return
    aside, place = Path(cut_off["aside"]), venv.folder(tree)
    if os.path.lexists(aside):
        if place.is_dir() and not place.is_symlink():  # half-made by us
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        aside.rename(place)
    _journal(tree).close()


def _journal(tree: RunTree) -> Journal:
    return tree.journal("environment")


def _lock(tree: RunTree) -> AbstractContextManager[int]:
    """Return the lock that a set-up holds, and its commands with it."""
    return held(tree.state / "environment.lock", what="the environment of the run tree")


def _note_file(tree: RunTree) -> Path:
    return tree.state / "environment.json"


def _read_note(tree: RunTree) -> dict[str, str]:
    try:
        note = json.loads(_note_file(tree).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _note(tree: RunTree, wanted: str, state: str, detail: str | None) -> None:
    """Note how it went: "ok", "broken" (found so, not yet mended) or "failed" (it cannot be set up)."""
    note = {"wanted": wanted, "how": tree.project.environment, "state": state, "detail": detail}
    if _read_note(tree) != note:
        write_whole(_note_file(tree), json.dumps(note))


def forget_failure(tree: RunTree) -> None:
    """Let the next reconcile try again to set up an environment whose set-up failed."""
    if _read_note(tree).get("state") == "failed":
        _note_file(tree).unlink(missing_ok=True)


def needs_uv(tree: RunTree) -> bool:
    """Return whether the set-up is one of uv's."""
    return any(isinstance(command, list) and command[0] == "uv" for command in venv.commands(tree))


def require_uv(tree: RunTree) -> None:
    """Raise :class:`WtwatchError` if the set-up needs uv and there is none."""
    import shutil

    if needs_uv(tree) and shutil.which("uv", path=for_jobs(tree)["PATH"]) is None:
        raise WtwatchError(
            "The code has Python requirements, but uv is not on PATH to set them up.",
            "Install uv (https://docs.astral.sh/uv), or give --env none or --env 'COMMAND'.",
        )
