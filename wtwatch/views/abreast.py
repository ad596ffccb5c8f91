"""What is said of jobs that run side by side, or could, when they are queued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wtwatch.doors.capacity import Capacity
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue import candidates
from wtwatch.queue.choosing import Candidate, choose
from wtwatch.tree.weight import Weight
from wtwatch.words.model import Job, counted, sized

_NAMED = 3


def offer(jobs: Sequence[Job], top: Path, have: Capacity) -> int:
    """Return how many jobs of a batch could run at a time on a host; 1 or less: lanes would bring nothing."""
    waiting = [*map(candidates.Looker(top).candidate, jobs)]
    living: list[Candidate] = []
    while len(living) < have.cpus and (chosen := choose(waiting, living, have).job) is not None:
        living += [one for one in waiting if one.job == chosen]
        waiting = [one for one in waiting if one.job != chosen]
    return len(living)


def offer_words(jobs: int, lanes: int, weight: Weight) -> str:
    """Return what so many lanes would bring and cost, for people."""
    return (
        f"The {jobs} jobs run one after the other. `wtwatch config lanes {lanes}` runs {lanes} at a time, "
        f"each in {_copy(weight)}."
    )


def lanes_words(lanes: int, weight: Weight, have: Capacity | None) -> Iterator[str]:
    """Yield what to know of so many lanes before they are made; ``have`` is what they share, if known."""
    yield f"Each lane is {_copy(weight)}, made when jobs are due, and used again."
    if have is not None and lanes > have.cpus:
        there = counted(have.cpus, "processor")
        yield f"This host has {there}, and each job takes one at least: no more run at a time."


def _copy(weight: Weight) -> str:
    cost = f"about {sized(weight.bytes)} for {counted(weight.files, 'file')}"
    return f"a copy of the tree's files (links to the annex; {cost})"


def lanes_kept(project: Project) -> Iterator[str]:
    """Yield what else to know of lanes before they are made, and how they are given up."""
    name, apart = project.run_tree.name, ""
    if project.environment != "none":
        apart = ", and of setting up an environment of its own"
    yield f"They lie beside the run tree, {name}.lane1 to {name}.lane{project.lanes}."
    yield f"Making one takes about the time of a checkout{apart}."
    yield "Whole paths that a tool writes into its results differ from lane to lane."
    yield "To give them up: wtwatch config lanes 1"


def going(lanes: Sequence[RunTree], wanted: int) -> Iterator[str]:
    """Yield what becomes of lanes where no more than ``wanted`` are."""
    gone = [lane for lane in lanes if lane.lane and lane.lane > wanted]
    if gone:
        names = ", ".join(lane.path.name for lane in gone[:_NAMED])
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        its, go = ("its", "goes") if len(gone) == 1 else ("their", "go")
        yield f"{names}{more} {go} as soon as free, once {its} results are in the run tree."
        yield "One that holds anything which is nowhere else stays, and `wtwatch status` names that."


def warnings(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield what to know of jobs that are to run side by side and do not say what they write or read."""
    mute = [job for job in jobs if not candidates.declares_outputs(job.spec)]
    if mute:
        yield (
            f"{_which(mute, jobs)} no outputs (-o), and may write anything: each runs alone, beside no other."
        )
    blind = [job for job in jobs if job not in mute and not job.spec.inputs]
    if blind:
        yield (
            f"{_which(blind, jobs)} no inputs (-i): what others of the batch make meanwhile is not there for "
            "them."
        )


def _which(some: Sequence[Job], jobs: Sequence[Job]) -> str:
    if len(some) == len(jobs):
        return "They declare"
    return f"{counted(len(some), 'job')} of them {'declare' if len(some) > 1 else 'declares'}"
