"""What jobs of the queue ask for and touch: what :mod:`wtwatch.queue.choosing` decides from."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from wtwatch.doors import capacity, containers, dataset
from wtwatch.doors.capacity import Capacity
from wtwatch.project.config import Project
from wtwatch.queue.choosing import MOST, Candidate, Choice, choose
from wtwatch.queue.jobs import Queue
from wtwatch.queue.meeting import touches
from wtwatch.words import executors, resources
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, JobSpec, Sha


class Looker:
    """Looks up in the run tree at ``top`` what jobs touch that do not say it themselves: each thing once.

    Of what is not there any more, such as a container that was removed, the job's own process will tell.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._images: dict[str, tuple[str, ...]] = {}
        self._records: dict[str, JobSpec | None] = {}

    def candidate(self, job: Job) -> Candidate:
        """Return what a job asks for and touches."""
        spec, recorded = job.spec, None
        image: tuple[str, ...] = ()
        if spec.rerun_of and not (spec.inputs or spec.outputs):
            recorded = self._record(spec.rerun_of)
        elif spec.container and not spec.rerun_of:
            image = self._image(spec.container)
        return Candidate(job.id, resources.of(spec), touches(spec, recorded, image))

    def _record(self, commit: Sha) -> JobSpec | None:
        if commit not in self._records:
            self._records[commit] = None
            with suppress(WtwatchError):
                self._records[commit] = dataset.spec_of(self._top, commit)
        return self._records[commit]

    def _image(self, name: str) -> tuple[str, ...]:
        if name not in self._images:
            self._images[name] = ()
            with suppress(WtwatchError):
                self._images[name] = containers.found(self._top, name).inputs
        return self._images[name]


def choice(queue: Queue, top: Path, have: Capacity | None, over: Collection[int] = ()) -> Choice:
    """Return which job of the batch under way, or due, may start beside those that live; why others wait.

    Of the run tree at ``top``, with what there is to be shared out. ``over`` are living jobs of which only
    the result waits: they take nothing any more.
    """
    batch = queue.next_batch()
    waiting = [] if batch is None else queue.first_waiting(batch, MOST)
    look = Looker(top).candidate
    living = [look(job)._replace(over=job.id in over) for job in queue.living()]
    return choose(map(look, waiting), living, have)


def declares_outputs(spec: JobSpec) -> bool:
    """Return whether a job says what it writes; else it runs alone."""
    return touches(spec).writes is not None


def shared(project: Project) -> Capacity | None:
    """Return what there is to be shared out; ``None`` where a cluster does that."""
    return capacity.of_this_host() if executors.of(project.executor).kind == "here" else None
