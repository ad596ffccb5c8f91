"""Where things stand, as quickly as can be: what the daemon left, where that holds, and else by a look.

What the daemon cannot vouch for is looked at here: edits of the run tree's code, by one git a project, and
who works there, by one walk of /proc in all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from wtwatch import __version__
from wtwatch.doors.processes import serves
from wtwatch.doors.repo import UNFILTERED, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree.busy import folders_of, working_in_each
from wtwatch.tree.walk import Walk
from wtwatch.views import attention, disk, glance
from wtwatch.views.holders import holders
from wtwatch.views.kept import Kept
from wtwatch.views.snapshot import BrokenProject, DaemonSnapshot, ProjectSnapshot, Snapshot
from wtwatch.views.watch import daemon
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Process

_AT_ONCE = 16
"""How many gits are at work side by side."""

_EDITS = (*UNFILTERED, "status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no")


def collect(projects: Sequence[Project], broken: Iterable[tuple[str, WtwatchError]] = ()) -> Snapshot:
    """Return where all of it stands; ``broken`` are names of projects that could not be loaded, and why.

    A project that cannot be described joins those, so that it does not hide the others.
    """
    watch = daemon()
    known = _left(projects, watch) if is_believed(watch) else {}
    described, failed = [], list(broken)
    for project in projects:
        try:
            shown = known.get(project.name) or _look(project, watch)
            described.append(shown._replace(full=disk.full(project)))
        except WtwatchError as error:
            failed.append((project.name, error))
    told = tuple(BrokenProject(name, error.message, error.hint) for name, error in failed)
    return Snapshot(watch, tuple(described), told)


def is_believed(watch: DaemonSnapshot) -> bool:
    """Return whether the daemon runs, is of this version, and is not held up, so that what it left counts."""
    return watch.running and watch.version == __version__ and not attention.is_silent(watch)


def _look(project: Project, watch: DaemonSnapshot) -> ProjectSnapshot:
    from wtwatch.views import status  # it takes as long to load as the rest

    return status.describe(project, watch.pid)


def _left(projects: Iterable[Project], watch: DaemonSnapshot) -> dict[str, ProjectSnapshot]:
    """Return what the daemon left and still holds, with who works there now; not where code was edited."""
    kept = [(project, one) for project in projects if (one := _holding(project))]
    trees = [RunTree.of(project) for project, _ in kept]
    locks = [os.path.realpath(tree.lock) for tree in trees]
    walk = Walk(folders_of(trees), locks)  # before any git of ours works there
    everybody = working_in_each(trees, walk)
    unknown = [project for project, _ in kept if not glance.is_unedited(project.name)]
    asked = _edited([project.run_code for project in unknown])
    edited = {project.name for project, is_so in zip(unknown, asked, strict=True) if is_so}
    return {
        project.name: _up_to_date(
            one, [who for who in busy if not _is_of(who, watch)], watch, lock in walk.opened
        )
        for (project, one), busy, lock in zip(kept, everybody, locks, strict=True)
        if project.name not in edited
    }


def _holding(project: Project) -> Kept | None:
    """Return what the daemon left of a project, if all that it rests on is as it was."""
    kept = Kept.read(project.name)
    if kept is None or kept.project.path != project.main_tree or (kept.settling() or 0.0) < 0:
        return None
    return kept if kept.holds() else None


def _up_to_date(kept: Kept, busy: Iterable[Process], watch: DaemonSnapshot, is_open: bool) -> ProjectSnapshot:
    queue = kept.project.queue._replace(settling=kept.settling())
    return kept.project._replace(queue=queue, busy=holders(kept.noted, busy, watch.pid, is_open))


def _is_of(process: Process, watch: DaemonSnapshot) -> bool:
    """Return whether a process is the daemon's: what that does at this moment keeps nobody waiting."""
    return watch.pid is not None and serves(process.pid, watch.pid)


def _edited(trees: Sequence[Path]) -> Iterator[bool]:
    """Yield for each work tree of code whether it has edits."""
    with ExitStack() as stack:
        asked = [stack.enter_context(Repo(tree).ask(*_EDITS)) for tree in trees[:_AT_ONCE]]
        for place in range(len(trees)):
            if place + _AT_ONCE < len(trees):
                asked.append(stack.enter_context(Repo(trees[place + _AT_ONCE]).ask(*_EDITS)))
            try:
                yield bool(asked[place].answer())
            except WtwatchError:
                yield True  # whoever looks closely says what is wrong
