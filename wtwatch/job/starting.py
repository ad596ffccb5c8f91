"""The start of the next job: a look at the tree, the pointer right, the process begun, the queue told."""

from __future__ import annotations

from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle
from wtwatch.job.readiness import hidden_edits, hindrances, identity_problem, moved_code
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.queue.database import Unusable
from wtwatch.queue.jobs import Queue
from wtwatch.tree import pathcode, save
from wtwatch.tree.states import Before
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job


class Hindered(NamedTuple):
    """A job cannot start: the first reason, and the other ones with the way on."""

    reason: str
    hint: str


def take_up(tree: RunTree, queue: Queue) -> Job | None:
    """Return the job that was started by a daemon which could not tell the queue, if any: it died, say."""
    job = queue.next_job(though_paused=True)
    running = lifecycle.begun(tree, job) if job else None
    if job is None or running is None:
        return None
    queue.begin(job.id, running)
    return queue.job(job.id)


def start(tree: RunTree, queue: Queue, job: Job, lock: int) -> Job | Hindered:
    """Start a job on the code that the tree is parked at, if the tree is as it has to be; return it running.

    With ``lock``, the descriptor of the tree's lock, held. Raises :class:`WtwatchError` if it does not start.
    """
    code_sha = pathcode.applied(tree) if tree.project.paths else Repo(tree.code_path).resolve("HEAD")
    if code_sha is None:
        return Hindered(f"Job {job.id} cannot start: nothing was released yet.", "wtwatch sync")
    demanded = lifecycle.demands(tree, job.spec, code_sha, _plain_outputs(tree, queue, job))
    base = save.pointer_of(tree)
    if base.branch == tree.branch and (base.recorded != code_sha or base.cut_off):
        save.record(tree, code_sha, foldable=False)  # a job may have saved another
        base = save.pointer_of(tree)
    state = Before.of(tree.path, excludes_env(tree))
    problems = [
        *hindrances(demanded, state),
        *moved_code(demanded),
        *hidden_edits(demanded),
        *identity_problem(demanded),
    ]
    if problems:
        return Hindered(
            f"Job {job.id} cannot start: {problems[0]}",
            "\n".join([*problems[1:], "Then it goes on by itself."]),
        )
    queue.note_used(base.head)
    running = lifecycle.start(tree, job, demanded, base.head, lock)
    job = job._replace(state=running)
    try:
        queue.begin(job.id, running, job.batch)
    except Unusable:  # on a full disk, say: it runs, and the next tick takes it up
        raise
    except WtwatchError:  # it was removed from the queue this very moment
        lifecycle.stop(tree, job)
        raise
    return job


def _plain_outputs(tree: RunTree, queue: Queue, job: Job) -> tuple[str, ...]:
    """Return what plain jobs of the same batch were to write into code: it is no code, and may lie there."""
    if tree.project.paths:
        return ()
    inside = f"{tree.project.code}/"
    declared = (path for one in queue.jobs(job.batch) if one.spec.plain for path in one.spec.outputs)
    return tuple(path.removeprefix(inside) for path in declared if path.startswith(inside))
