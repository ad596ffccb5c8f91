"""A plain ``status`` of projects at rest, from what the daemon left, in the time that Python takes to start.

Or of those in which a job runs, and nobody else works. All that is shown rests on files that are looked at
here; who works in the run trees is seen by one walk through all processes. Whatever is not just so (code is
behind, a file was touched, the daemon stands still) is left to :mod:`wtwatch.views.quick`, which answers the
same question with all that wtwatch knows. So no more is loaded here than what Python has loaded at its start,
and what is left is marshalled: both sides are the same wtwatch on the same Python.
"""

from __future__ import annotations

import marshal
import os
import sys
import time

import wtwatch
from wtwatch.doors import claims, proc, traces, xdg
from wtwatch.tree import untouched
from wtwatch.tree.walk import Walk
from wtwatch.views.lines import Line, screen
from wtwatch.views.terminal import say, width

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Left = dict[str, Any]


def _build() -> list[int]:
    found = os.stat(wtwatch.__file__)
    return [found.st_ino, found.st_size, found.st_mtime_ns]


BUILD = _build()
"""Which of several installations of one version this is: another may have other words for what it leaves."""

KEY = ("wtwatch", 3, wtwatch.__version__, BUILD, sys.implementation.cache_tag)
"""What is left begins with it; its number is raised whenever something in there is no more what it was."""

SILENT = 12.0
"""Seconds after which a daemon that said nothing of itself counts as stopped; 0.1.0 did so every 10."""

PROJECTS = "projects"
"""The file that says which projects there are, and what is shown of the daemon."""


def written(left: Left) -> bytes:
    """Return what is left as its file has it."""
    return marshal.dumps((KEY, left))


def file_of(name: str) -> str:
    """Return the file for what is left of the project of that name."""
    return os.path.join(xdg.live_folder(), f"{name}.glance")


def show(words: Sequence[str]) -> int | None:
    """Answer a plain ``status`` and return the exit code; ``None`` for what is left to others."""
    names = [word for word in words[1:] if word not in ("--json", "--short")]
    if words[:1] != ["status"] or len(names) > 1 or sys.stdout is None:
        return None
    as_json, short = "--json" in words, "--short" in words
    try:
        seen = _seen(names[0] if names else None, everywhere=as_json or not short)
        if seen is None:
            return None
        daemon, projects = seen
        reasons = [reason for one in projects for reason in one["reasons"]]
        shown = [(one["name"], one["place"], _lines(one)) for one in projects]
        if as_json:
            say(_document(daemon, projects))
        elif short:
            say("  ".join(one["short"] for one in projects))
        else:
            say("\n".join(screen(shown, _lines(daemon), reasons, width() or 80, time.time())))
    except (OSError, ValueError, TypeError, LookupError, EOFError):  # who is thorough says what is wrong
        return None
    return 1 if reasons else 0


def _lines(left: Left) -> list[Line]:
    return [Line(*parts) for parts in left["lines"]]


def _document(daemon: Left, projects: list[Left]) -> str:
    """Return what ``--json`` prints. Raises :class:`TypeError` where that tells of what changes by itself."""
    import json

    said = json.loads(traces.text(xdg.daemon_file()) or "")
    document = daemon["document"]
    beat, at = said["beat"], float((traces.text(os.path.join(xdg.live_folder(), "beat")) or "").split()[0])
    document["daemon"]["beat"] = beat | {"seconds": max(at, beat["seconds"])}
    document["projects"] = [{**one["document"]} for one in projects]
    return json.dumps(document, ensure_ascii=False, indent=1)


def _seen(name: str | None, everywhere: bool = True) -> tuple[Left, list[Left]] | None:
    """Return the daemon and the projects that are meant, if all of them are as they were left."""
    pid = claims.holder(xdg.daemon_file())
    if pid is None or not _turns(pid):
        return None
    daemon = _read(os.path.join(xdg.live_folder(), PROJECTS))
    if daemon["pid"] != pid or daemon["registry"] != traces.stamp(xdg.registry_file()):
        return None
    projects = [_read(file_of(one)) for one in meant(daemon["trees"], name, os.getcwd(), everywhere)]
    at_rest = projects and all(map(holds, projects)) and not _are_used(projects)
    return (daemon, projects) if at_rest else None


def _read(file: str) -> Left:
    with open(file, "rb") as stream:
        key, left = marshal.loads(stream.read())
    if key != KEY:
        raise ValueError(file)
    return left  # type: ignore[no-any-return]


def is_unedited(name: str) -> bool:
    """Return whether it is known of a project that its code has no edits; of one at rest alone."""
    try:
        return untouched.holds(_read(file_of(name))["files"])
    except (OSError, ValueError, TypeError, LookupError, EOFError):
        return False


def _turns(pid: int) -> bool:
    """Return whether the daemon's loop turned lately, and whether nobody holds it up."""
    seconds, who = (traces.text(os.path.join(xdg.live_folder(), "beat")) or "0 0").split()[:2]
    silent = time.clock_gettime(time.CLOCK_BOOTTIME) - float(seconds)
    return int(who) == pid and 0 <= silent <= SILENT and not proc.is_stopped(pid)


def meant(
    trees: Sequence[tuple[str, Sequence[str]]], name: str | None, here: str, everywhere: bool = True
) -> list[str]:
    """Return the names of the projects that are meant: named, else those of this place, else all if so asked.

    ``trees`` are the real paths of each one's trees. None where others have to see which are meant. As
    :func:`wtwatch.project.registry.meant` has it.
    """
    if name is not None:
        return [one for one, _ in trees if one == name]
    above = [here]
    while above[-1] != os.path.dirname(above[-1]):
        above.append(os.path.dirname(above[-1]))
    lanes = [folder.rpartition(".lane") for folder in above]  # each is as the run tree beside which it lies
    above += [tree for tree, _, number in lanes if number.isdecimal()]
    inside = {root for _, roots in trees for root in roots} & set(above)
    if inside:
        return [one for one, roots in trees if max(inside, key=len) in roots]
    moved = any(os.path.isdir(os.path.join(folder, ".git", "wtwatch")) for folder in above)
    return [] if moved or not everywhere else [one for one, _ in trees]


def holds(left: Left) -> bool:
    """Return whether all that the view of a project rests on is as it was, and no disk of it full."""
    full = any(map(traces.is_full, (os.path.dirname(left["lock"]), left["run_tree"])))
    return not full and bool(traces.look(*left["ground"]) == left["found"]) and untouched.holds(left["files"])


def _are_used(projects: Sequence[Left]) -> bool:
    """Return whether anybody but its job is busy in one of the run trees, or has its lock open."""
    stamps = [traces.stamp(one["run_tree"]) for one in projects]
    if None in stamps:
        return True
    folders = [(stamp[0], stamp[1]) for stamp in stamps if stamp]
    walk = Walk(folders, {one["lock"] for one in projects if not one["job"]})  # a job holds it
    for folder, one in zip(folders, projects, strict=True):
        if one["job"]:
            walk.users[folder] = {pid for pid in walk.users[folder] if not _is_of(pid, *one["job"])}
    if walk.opened or walk.is_empty():
        return bool(walk.opened)
    from wtwatch.tree.busy import at_work  # who stands there may do no more than that, as a shell does

    passive = [one["passive"] for one in projects]
    return any(at_work(list(zip(folders, passive, strict=True)), walk))


def _is_of(pid: int, leader: int, mark: bytes) -> bool:
    """Return whether a process is over, or of a job: by its session, or by its environment."""
    try:
        return os.getsid(pid) == leader or mark in proc.entries(pid, "environ")
    except OSError:
        return True
