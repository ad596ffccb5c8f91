"""In one sentence: what a job waits for and what would start it, or what to do about how it ended."""

from __future__ import annotations

from wtwatch.project.config import Project
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Waiter, before
from wtwatch.tree import tip
from wtwatch.views import holdup, status
from wtwatch.views.holdup import HoldUp
from wtwatch.views.jobwords import needs_attention
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
            return (
                f"All that it printed: wtwatch queue logs {number}. Once more: wtwatch queue retry {number}. "
                f"To have seen it: wtwatch ack {number}"
            )
        case Ended(started=started) if started is None:
            return f"It never ran. To queue it anew: wtwatch queue retry {number}"
        case Ended():
            return f"What it printed: wtwatch queue logs {number}. Once more: wtwatch queue retry {number}"
    return "It is in a state that this version of wtwatch does not know."


def _waits_for(project: Project, job: Job) -> str:
    """Return what a job waits for, and what would start it."""
    commit = tip.read(project).commit
    progress = Waiter(Queue(project.state).file, [job.id]).look(commit)
    try:
        held = holdup.of_daemon(project, status.daemon()) or holdup.of_queue(project, progress, commit)
    except WtwatchError as error:  # the run tree is gone
        held = HoldUp(error.message, error.hint)
    place = before(Queue(project.state).file, job.id)
    parts = []
    if place is None and not (held and held.reason.startswith("They start")):
        parts.append(f"It waits for the next move of {project.bookmark} (wtwatch release makes one).")
    elif place:
        parts.append(f"{counted(place, 'job')} {'comes' if place == 1 else 'come'} before it.")
    if progress.running is not None:
        parts.append(f"Job {progress.running.id} runs.")
    if held is not None:
        parts.append(
            "The queue is paused: wtwatch queue resume" if held.lasts and progress.paused else _said(held)
        )
    return " ".join(parts) or "It is next: the daemon starts it in a moment."


def _said(held: HoldUp) -> str:
    """Return what holds a job up, and the way out, as one sentence."""
    if not held.hint:
        return held.reason
    hint = " ".join(held.hint.split())
    return f"{held.reason.rstrip('.')}: {hint[0].lower() if hint.startswith('It ') else hint[0]}{hint[1:]}"
