"""In one sentence: what a job waits for and what would start it, or what to do about how it ended."""

from __future__ import annotations

from wtwatch.bring import steps
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Waiter, before
from wtwatch.tree import tip
from wtwatch.views import holdup, status
from wtwatch.views.holdup import HoldUp
from wtwatch.views.jobwords import needs_attention, one_line
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, Running, Waiting, counted


def sentence(project: Project, job: Job) -> str:
    """Return what a job waits for and what would start it, or what can be done about its end."""
    number = job.id
    match job.state:
        case Waiting():
            return _waits_for(project, job)
        case Running():
            return f"It runs: wtwatch queue logs -f {number}. To stop it: wtwatch queue cancel {number}"
        case Ended() if needs_attention(job):
            return _lacked(project, job) + (
                f"All that it printed: wtwatch queue logs {number}. Once more: wtwatch queue retry {number}. "
                f"To have seen it: wtwatch ack {number}"
            )
        case Ended(started=started) if started is None:
            return f"It never ran. To queue it anew: wtwatch queue retry {number}"
        case Ended():
            return f"What it printed: wtwatch queue logs {number}. Once more: wtwatch queue retry {number}"
    return "It is in a state that this version of wtwatch does not know."


def _lacked(project: Project, job: Job) -> str:
    """Return what to do about inputs that main has, and the run tree lacks; nothing where it lacks none."""
    lacked = steps.lacked(RunTree.of(project), job.spec.inputs)
    if not lacked:
        return ""
    more = f" and {len(lacked) - 1} more" if len(lacked) > 1 else ""
    return (
        f"The run tree lacks {one_line(lacked[0])}{more}, which main has: wtwatch sync --from-main, then "
        f"wtwatch queue retry {job.id}. "
    )


def _waits_for(project: Project, job: Job) -> str:
    """Return what a job waits for, and what would start it."""
    file, commit = Queue(project.state).file, tip.read(project).commit
    progress = Waiter(file, [job.id]).look(commit)
    try:
        in_the_way = holdup.of_queue(project, progress, commit)
    except WtwatchError as error:  # the run tree is gone
        in_the_way = HoldUp(error.message, error.hint)
    place = before(file, job.id)
    parts = []
    if place is None and not progress.coming:
        parts.append(f"It waits for the next move of {project.bookmark} (wtwatch release makes one).")
    elif place is None:
        parts.append(f"It becomes due by the move of {project.bookmark} that was made.")
    elif place:
        parts.append(f"{counted(place, 'job')} {'comes' if place == 1 else 'come'} before it.")
    if progress.running is not None:
        parts.append(f"Job {progress.running.id} runs.")
    if progress.paused:
        why = Queue(project.state).pause_reason()
        parts.append(f"The queue is paused{f' ({why})' if why else ''}: wtwatch queue resume.")
    elif in_the_way and (place is not None or progress.coming):
        parts.append(_said(in_the_way))
    if daemon := holdup.of_daemon(project, status.daemon()):
        parts.append(_said(daemon))
    return " ".join(parts) or "It is next: the daemon starts it in a moment."


def _said(held: HoldUp) -> str:
    """Return what holds a job up, and the way out, as one sentence."""
    reason = held.reason.replace("They start ", "It starts ", 1)
    if not held.hint:
        return reason
    hint = " ".join(held.hint.split())
    if hint.startswith(("It ", "To ")):
        hint = hint[0].lower() + hint[1:]
    return f"{reason.rstrip('.')}: {hint}"
