"""What holds up the jobs that somebody waits for, and whether that goes on by itself."""

from __future__ import annotations

import os
from typing import NamedTuple

from wtwatch.doors import proc
from wtwatch.doors.processes import holding, is_alive
from wtwatch.job.attempt import MARK, Folder
from wtwatch.project import owner
from wtwatch.project.config import Project, host
from wtwatch.project.registry import need_run_tree
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import ExecNote, Waits
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Progress
from wtwatch.views import disk
from wtwatch.views.attention import is_silent
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, Running, Sha, counted, lasting
from wtwatch.words.quoting import quoted

START = "wtwatch service install, or wtwatch watch."


class HoldUp(NamedTuple):
    """Why nothing goes on, and the way out. ``lasts``: it does not go on by itself.

    ``noted``: that is what the last tick of the daemon said, and the next may see it otherwise.
    """

    reason: str
    hint: str | None = None
    lasts: bool = False
    noted: bool = False

    def error(self) -> WtwatchError:
        """Return it as what ends the command."""
        return WtwatchError(self.reason, self.hint)


def inside(project: Project, progress: Progress) -> None:
    """Raise :class:`WtwatchError` if this process is part of what holds the run tree: it waits for itself.

    So does one within a job in a lane, if that job is among those that are waited for.
    """
    here = {os.getpid(), *proc.parents(os.getpid())}
    queue = Queue(project.state)
    for one in queue.living():
        lane = one.state.lane if isinstance(one.state, Running) else None
        if lane is None or one.id not in progress.left():
            continue
        if any(process.pid in here for process in holding(RunTree.of_lane(project, lane).lock)):
            raise WtwatchError(
                f"This runs within job {one.id}, and waits for that very job to end.",
                f"Call `wtwatch queue wait` after job {one.id}, not in it, or for other jobs.",
            )
    if not any(process.pid in here for process in holding(RunTree.of(project).lock)):
        return
    job = queue.in_run_tree()
    what = f"job {job.id}" if job else "`wtwatch exec`"
    if job is None and MARK in os.environ:  # it was started this very moment, and that is not noted yet
        what = "this job"
    raise WtwatchError(
        f"This runs within {what}, which holds the run tree: no job can start before it has ended.",
        f"Call `wtwatch queue wait` after {what}, not in it.",
    )


def of_daemon(project: Project, daemon: DaemonSnapshot) -> HoldUp | None:
    """Return what is wrong with the daemon that has to start the jobs, if anything is."""
    if project.host not in ("", host()):
        return HoldUp(f"The daemon that runs the jobs of {project.name} is that of the host {project.host}.")
    if not daemon.running and (seen := owner.other(project)) and not seen.is_free():
        return HoldUp(f"{project.name} {owner.said(seen)}.")
    if not daemon.running:
        return HoldUp("Jobs wait, but no daemon runs.", START, lasts=True)
    if is_silent(daemon):
        silent = lasting(daemon.silent or 0)
        return HoldUp(
            f"The daemon (pid {daemon.pid}) has given no sign of life for {silent}.",
            f"If it was stopped, this lets it go on: kill -CONT {daemon.pid}",
            lasts=True,
        )
    return None


def of_queue(project: Project, progress: Progress, tip: Sha | None) -> HoldUp | None:
    """Return why none of the jobs that are waited for runs, or will be the next; ``None`` if all is well.

    Raises :class:`WtwatchError` if the run tree is gone.
    """
    queue = Queue(project.state)
    if no_room := disk.full(project):
        return HoldUp(disk.said(no_room), disk.hint(no_room))
    if progress.running is not None:
        return _while_some_run(project, progress, queue.waits())
    need_run_tree(project)
    if progress.paused:
        return _paused(progress, queue.pause_reason())
    waits, by_hand = queue.waits(), queue.executes()
    if waits is not None and not _is_of_ours(waits):
        return _noted(waits)
    if by_hand is not None and is_alive(by_hand.process):
        return _by_hand(by_hand)
    return None if progress.due else _not_due(project, progress, tip)


def _while_some_run(project: Project, progress: Progress, waits: Waits | None) -> HoldUp | None:
    """Return what keeps results of jobs in lanes from the run tree, or that no further job starts."""
    running = [job for job in (progress.running, *progress.beside) if job is not None]
    by_hand = Queue(project.state).executes()
    in_lanes = any(isinstance(job.state, Running) and job.state.lane is not None for job in running)
    if in_lanes and waits is not None and not _is_of_ours(waits):
        noted = _noted(waits)
        return noted._replace(lasts=noted.lasts and all(_is_over(project, job) for job in running))
    if in_lanes and by_hand and is_alive(by_hand.process) and any(_is_over(project, job) for job in running):
        return _by_hand(by_hand)
    more = progress.paused and len(progress.left()) > len(running)
    return HoldUp("The queue is paused: no further job starts.") if more else None


def _is_over(project: Project, job: Job) -> bool:
    """Return whether nothing of a job runs any more, of which the queue says that it does."""
    return Folder.of(project.state, job.id, job.attempt).result() is not None


def of_lock(project: Project, daemon: DaemonSnapshot) -> HoldUp | None:
    """Return who holds the run tree, which takes a look at all processes."""
    hint = "It goes on by itself when that ends."
    for process in holding(RunTree.of(project).lock):
        if process.pid == daemon.pid:
            return HoldUp("The daemon moves code or sets up its environment in the run tree.", hint)
        return HoldUp(f"{process.name} (pid {process.pid}) holds the run tree.", hint)
    return None


def is_held(project: Project) -> bool:
    """Return whether somebody holds the run tree just now, such as a tick of the daemon."""
    return bool(holding(RunTree.of(project).lock))


def _paused(progress: Progress, why: str | None) -> HoldUp:
    left = len(progress.left()) or progress.due
    paused = f"The queue is paused ({why})" if why else "The queue is paused"
    said = f"{paused}, and {counted(left, 'job')} {'waits' if left == 1 else 'wait'}."
    return HoldUp(said, "wtwatch queue resume", lasts=True)


def _noted(waits: Waits) -> HoldUp:
    if waits.busy:
        return HoldUp(waits.reason, waits.hint)
    return HoldUp(f"The queue waits for you: {waits.reason}", waits.hint, lasts=True, noted=True)


def _is_of_ours(waits: Waits) -> bool:
    """Return whether it is a script which waits by this very process that was noted as busy before it did."""
    return waits.busy and any(f"(pid {pid})" in waits.reason for pid in proc.parents(os.getpid()))


def _by_hand(note: ExecNote) -> HoldUp:
    name = quoted(note.name)
    return HoldUp(
        f"`wtwatch exec -- {name}` (pid {note.process.pid}) holds the run tree.",
        "It goes on by itself when that ends.",
    )


def _not_due(project: Project, progress: Progress, tip: Sha | None) -> HoldUp | None:
    """Return for what jobs wait that are not due: for a move, or for the bookmark to be still after one."""
    queue = Queue(project.state)
    if tip is None or not progress.coming:
        return HoldUp(f"They start after the next move of {project.bookmark}.")
    if project.settle <= queue.still(tip) or queue.hurries(tip):
        return None
    return HoldUp(
        f"They start when {project.bookmark} has been still for {project.settle:.0f} s.",
        "To have them start at once: wtwatch sync",
    )
