"""How the lanes of a project stand, for `doctor`; only locks of worktrees that are gone are put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import Repo
from wtwatch.lanes import making, notes
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import health
from wtwatch.setup.finding import Finding
from wtwatch.setup.layout import stands
from wtwatch.tree.busy import working_in
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import counted
from wtwatch.words.quoting import quoted

_SHOWN = 3


def findings(project: Project) -> Iterator[Finding]:
    """Look at all lanes: whole, locked, sharing the annex, free or in use, and none left over."""
    known = notes.known(project)
    if project.in_lanes or known:
        there = sum(stands(lane.path) for lane in known)
        said = f"{there} of {project.in_lanes} made; the others are when jobs are due"
        wanted = said if there < project.in_lanes else f"{counted(there, 'lane')} beside the run tree"
        yield Finding("lanes", True, wanted if project.in_lanes else "jobs run in the run tree itself")
    for lane in known:
        try:
            yield from _of_lane(lane)
        except (WtwatchError, OSError) as error:
            yield Finding(_named(lane), False, f"{lane.path} cannot be looked at: {error}.", "Look there.")
    strays = sorted(set(_beside(project)) - {lane.path for lane in known})
    for stray in strays[:_SHOWN]:
        said = f"{stray} lies where a lane would, and none that is used now."
        yield Finding(
            "lanes", True, said, "Delete it if it is nobody's: git worktree list, in the main tree."
        )


def _of_lane(lane: RunTree) -> Iterator[Finding]:
    """Look at one lane."""
    if notes.maker(lane):
        yield Finding(_named(lane), True, "is being made, or set up; jobs start in it when that is done")
        return
    faults: list[Finding] = []
    if stands(lane.path):
        faults = [one for one in health.trees(lane) if not one.ok]
        yield from (one._replace(subject=_named(lane)) for one in faults)
    given, found, busy = notes.lease(lane), notes.held(lane), working_in(lane)
    others = [] if given else busy
    if others:
        said = f"{others[0].name} (pid {others[0].pid}) works there, so no job starts in it"
        yield Finding(_named(lane), True, said, "It is used again by itself when that ends.")
    elif found is not None:
        yield Finding(_named(lane), False, found.reason, found.hint or f"See {quoted(lane.path)}.")
    elif not faults:
        yield Finding(_named(lane), True, _state(lane))


def _state(lane: RunTree) -> str:
    given = notes.lease(lane)
    if given is not None:
        return f"job {given.job} has it"
    if lane.lane is not None and lane.lane > lane.project.in_lanes:
        return "not needed any more: it goes with the daemon's next look"
    if not stands(lane.path):
        return "not there: it is made when a job is due"
    tree = RunTree.of(lane.project)
    base = head_of(Repo(tree.path))
    lacks = making.lacking(tree, lane, base).missing if base else ()
    if lacks:
        return f"lacks {counted(len(lacks), 'worktree')}: made when a job is due"
    return "whole, locked, sharing the annex, and free"


def _named(lane: RunTree) -> str:
    return f"lane {lane.lane}"


def _beside(project: Project) -> Iterator[Path]:
    """Yield what is called as a lane would be."""
    for folder in project.run_tree.parent.glob(f"{project.run_tree.name}.lane*"):
        if folder.name.rpartition(".lane")[2].isdecimal():
            yield folder
