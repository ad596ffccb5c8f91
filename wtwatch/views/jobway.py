"""In one sentence: what a job waits for and what would start it, or what to do about how it ended."""

from __future__ import annotations

import re
from pathlib import Path

from wtwatch.bring import steps
from wtwatch.doors import dataset
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue import candidates
from wtwatch.queue.jobs import Queue
from wtwatch.queue.progress import Waiter, before
from wtwatch.tree import tip
from wtwatch.views import holdup, status
from wtwatch.views.holdup import HoldUp
from wtwatch.views.jobwords import needs_attention, one_line
from wtwatch.words import resources
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Held, Job, Running, Waiting, counted

_RUNS = "It runs: wtwatch queue logs -f {0}. To stop it: wtwatch queue cancel {0}"

_RUNTIMES = re.compile(r"(?<![\w./-])(podman|docker|nerdctl|bwrap|ch-run|udocker|enroot)(?![\w.-])")
_TOLD = re.compile(r"WTWATCH_BINDS|APPTAINER_BIND|SINGULARITY_BIND|git-common-dir")


def sentence(project: Project, job: Job) -> str:
    """Return what a job waits for and what would start it, or what can be done about its end."""
    number = job.id
    match job.state:
        case Waiting() | Held():
            return _waits_for(project, job)
        case Running(lane=lane):
            waits = lane is not None and status.ended_well(project, job)
            return _waits_in_lane(project) if waits else _RUNS.format(number)
        case Ended() if needs_attention(job):
            refused = Folder.of(project.state, number, job.attempt).was_refused()
            again = "To save it, and run nothing again" if refused else "Once more"
            return (_lacked(project, job) or _hidden(project, job) or _more(job)) + (
                f"All that it printed: wtwatch queue logs {number}. {again}: wtwatch queue retry {number}. "
                f"To have seen it: wtwatch ack {number}"
            )
        case Ended(started=started) if started is None:
            return f"It never ran. To queue it anew: wtwatch queue retry {number}"
        case Ended():
            return f"What it printed: wtwatch queue logs {number}. Once more: wtwatch queue retry {number}"
    return "It is in a state that this version of wtwatch does not know."


def _waits_in_lane(project: Project) -> str:
    """Return what keeps the result of a job that is done in its lane from the run tree."""
    said = "It is done, and its result waits to come into the run tree"
    noted = Queue(project.state).waits()
    way = f": {noted.reason} {noted.hint or ''}".rstrip() if noted else "."
    return f"{said}{way}"


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


def _more(job: Job) -> str:
    """Return how a job that took all that it asked for would get more; nothing for any other."""
    spec, why = job.spec, (job.state.detail or "") if isinstance(job.state, Ended) else ""
    if spec.seconds and "time limit of" in why:
        twice = _as_option(resources.span_words(2 * spec.seconds))
        return f"With more time: wtwatch queue retry --time {twice} {job.id}. "
    if spec.mem and "memory limit of" in why:
        twice = _as_option(resources.memory_words(2 * spec.mem))
        return f"With more memory: wtwatch queue retry --mem {twice} {job.id}. "
    return ""


def _as_option(words: str) -> str:
    """Return an amount as an option takes it without quotes."""
    return words.replace(" ", "")


def _hidden(project: Project, job: Job) -> str:
    """Return how a container would see an input that is a link out of the run tree; nothing where it can.

    Apptainer and Singularity are told by a variable; the others only if the command passes it on.
    """
    line = dataset.expanded(job.spec, project.run_tree)
    runtime = _RUNTIMES.search(line)
    links = (path for path in job.spec.inputs if _is_annexed_link(project.run_tree / path))
    linked = next(links, None) if runtime and not _TOLD.search(line) else None
    if runtime is None or linked is None:
        return ""
    way = "`$APPTAINER_BIND` lists what to bind"
    if runtime[0] in ("podman", "docker", "nerdctl"):
        way = f'`{runtime[0]} run $WTWATCH_BINDS -v "$PWD:$PWD" -w "$PWD" …` shows it that'
    return f"If it found no {one_line(linked)}: that is a link into a git directory of the main tree; {way}. "


def _is_annexed_link(path: Path) -> bool:
    try:
        return "annex/objects/" in str(path.readlink())
    except OSError:
        return False


def _waits_for(project: Project, job: Job) -> str:
    """Return what a job waits for, and what would start it."""
    if isinstance(job.state, Held):
        return (
            f"Its command came with somebody else's commits. To have it run: wtwatch queue approve {job.id}"
        )
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
    parts += _beside(project, job)
    parts += (f"Lane {lane.lane} is being made." for lane in notes.known(project) if notes.maker(lane))
    if progress.paused:
        why = Queue(project.state).pause_reason()
        parts.append(f"The queue is paused{f' ({why})' if why else ''}: wtwatch queue resume.")
    elif in_the_way and (place is not None or progress.coming):
        parts.append(_said(in_the_way))
    if daemon := holdup.of_daemon(project, status.daemon()):
        parts.append(_said(daemon))
    return " ".join(parts) or "It is next: the daemon starts it in a moment."


def _beside(project: Project, job: Job) -> list[str]:
    """Return which jobs run, and why this one does not start beside them, where it could."""
    queue = Queue(project.state)
    numbers = [str(one.id) for one in queue.living()]
    if not numbers:
        return []
    which = f"Job {numbers[0]} runs." if len(numbers) == 1 else f"Jobs {', '.join(numbers)} run."
    if not project.in_lanes:
        return [which]
    if len(numbers) >= project.in_lanes:
        return [which, f"All {project.in_lanes} lanes are taken."]
    reason = candidates.choice(queue, project.run_tree, candidates.shared(project)).reasons.get(job.id)
    return [which, *([f"It {reason}."] if reason else [])]


def _said(held: HoldUp) -> str:
    """Return what holds a job up, and the way out, as one sentence."""
    reason = held.reason.replace("They start ", "It starts ", 1)
    if not held.hint:
        return reason
    hint = " ".join(held.hint.split())
    if hint.startswith(("It ", "To ")):
        hint = hint[0].lower() + hint[1:]
    return f"{reason.rstrip('.')}: {hint}"
