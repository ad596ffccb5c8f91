"""What jobs once had from the daemon's shell and get no more since an upgrade: told until somebody saw it.

Since version :data:`MADE` of a project's settings what jobs get is made; before, they had all that the daemon
was started with. So the upgrade is known by the version in that file, of which version 0.1.0 wrote none. What
rewrites the file notes first what is to be told.
"""

from __future__ import annotations

import os

from wtwatch.doors.processes import variables
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.project.jobenv import withheld, withheld_folders
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue

MADE = 6
"""The version of settings from which on what jobs get is made."""


def names(project: Project, queue: Queue, daemon: int | None) -> tuple[str, ...]:
    """Return the variables that are still to be told of: neither declared by now nor said to be seen.

    Of PATH it is what it had besides: ``PATH=/opt/bin``. ``daemon`` is the pid of the one that runs, whose
    shell counts; without one, that of this process.
    """
    noted = queue.inherited()
    if noted is None:
        noted = _had(project, queue, daemon)
    declared = {name for name, _ in project.env}
    return tuple(one for one in noted if one.partition("=")[0] not in declared)


def keep(project: Project, queue: Queue, daemon: int | None) -> None:
    """Note what is to be told, before somebody rewrites the settings, by which it is known."""
    if queue.inherited() is None and (found := _had(project, queue, daemon)):
        queue.note_inherited(found)


def accept(project: Project, queue: Queue) -> None:
    """Note that somebody saw it."""
    if queue.inherited() or config.is_written_before(project, MADE):
        queue.note_inherited(())


def _had(project: Project, queue: Queue, daemon: int | None) -> tuple[str, ...]:
    if not config.is_written_before(project, MADE) or not queue.has_run():
        return ()
    shell = os.environ if daemon is None or daemon == os.getpid() else variables(daemon)
    folders = os.pathsep.join(withheld_folders(RunTree.of(project), shell.get("PATH", "")))
    return (*withheld(shell), *([f"PATH={folders}"] if folders else []))
