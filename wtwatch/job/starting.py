"""The start of the next job: a look at the tree, the pointer right, the process begun, the queue told."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wtwatch.doors.beside import Beside
from wtwatch.doors.clock import instant
from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle
from wtwatch.job.handed import Look
from wtwatch.job.lifecycle import Ground
from wtwatch.job.readiness import Demands, hidden_edits, hindrances, identity_problem, moved_code
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.queue.database import Unusable
from wtwatch.queue.jobs import Queue
from wtwatch.tree import pathcode, save
from wtwatch.tree.save import Pointer
from wtwatch.tree.states import Before
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, Running, Sha


class Hindered(NamedTuple):
    """A job cannot start: the first reason, and the other ones with the way on."""

    reason: str
    hint: str


class Ready(NamedTuple):
    """A lane in which a job may start: at which commits its code and superdataset are, and its lock."""

    code_sha: Sha
    base: Sha
    lock: int


def as_it_is() -> Hindered | bool:
    """Check nothing but how the tree stands; see :func:`start`."""
    return True


def take_up(tree: RunTree, queue: Queue) -> Job | None:
    """Return the job that was started by a daemon which could not tell the queue, if any: it died, say."""
    job = queue.next_job(though_paused=True)
    running = lifecycle.begun(tree, job) if job else None
    if job is None or running is None:
        return None
    queue.begin(job.id, running)
    known = queue.job(job.id)
    return known if isinstance(known.state, Running) else None  # another tick may have seen its end by now


def expect(queue: Queue, tip: Sha | None) -> None:
    """Have what starts jobs be ready if one is due, or will be by a move to ``tip``; returns at once."""
    if queue.expects(tip):
        lifecycle.HERE.expect()


def start(
    tree: RunTree,
    queue: Queue,
    job: Job,
    lock: int,
    check: Callable[[], Hindered | bool] | None = as_it_is,
) -> Job | Hindered:
    """Start a job on the code that the tree is parked at, if the tree is as it has to be; return it running.

    With ``lock``, the descriptor of the tree's lock, held. ``check`` is asked once nothing else hinders it,
    and may take its time; it returns whether the tree surely is as it was. Without one, the job before has
    just ended well, and only the job's own process looks at the tree. Raises :class:`WtwatchError` if it does
    not start.
    """
    code_sha = code_of(tree)
    if code_sha is None:
        return Hindered(f"Job {job.id} cannot start: nothing was released yet.", "wtwatch sync")
    demanded = lifecycle.demands(tree, job.spec, code_sha, plain_outputs(tree, queue, job))
    base = base_of(tree, code_sha)
    look = None
    if check is not None:
        look, found = looked_at(tree, demanded)
        if found:
            return Hindered(
                f"Job {job.id} cannot start: {found[0]}",
                "\n".join([*found[1:], "Then it goes on by itself."]),
            )
        checked = check()
        if isinstance(checked, Hindered):
            return checked
        look = look if checked else None
    queue.note_used(base.head)
    return tell(tree, queue, job, lifecycle.start(tree, job, demanded, Ground(base.head, lock, look)))


def code_of(tree: RunTree) -> Sha | None:
    """Return the commit at which the code of the run tree stands now; ``None``: nothing was released yet."""
    return pathcode.applied(tree) if tree.project.paths else Repo(tree.code_path).resolve("HEAD")


def base_of(tree: RunTree, code_sha: Sha) -> Pointer:
    """Return the commit of the superdataset that a job starts from, with the pointer to code right in it."""
    base = save.pointer_of(tree)
    if base.branch == tree.branch and (base.recorded != code_sha or base.cut_off):
        save.record(tree, code_sha, foldable=False)  # a job may have saved another
        base = save.pointer_of(tree)
    return base


def footing(tree: RunTree) -> tuple[Sha, Sha] | None:
    """Return the commit of the superdataset at which the run tree stands, and its code; changes nothing.

    ``None`` where jobs may not start from it: it is on another branch, or its code is no release's.
    """
    here = save.pointer_of(tree)
    if here.branch != tree.branch or here.cut_off or here.recorded is None:
        return None
    if tree.project.paths and pathcode.written(tree):
        return None
    return here.head, here.recorded


def tell(tree: RunTree, queue: Queue, job: Job, running: Running) -> Job:
    """Tell the queue that a job was started; return it running. One that was removed meanwhile is stopped."""
    job = job._replace(state=running)
    try:
        queue.begin(job.id, running, job.batch)
    except Unusable:  # on a full disk, say: it runs, and the next tick takes it up
        raise
    except WtwatchError:  # it was removed from the queue this very moment
        lifecycle.stop(tree, job)
        raise
    return job


def looked_at(tree: RunTree, demanded: Demands) -> tuple[Look, list[str]]:
    """Return how a tree stands, and what keeps a job from starting there, as sentences with the way out."""
    began = instant()
    more = Beside(lambda: [*moved_code(demanded), *hidden_edits(demanded), *identity_problem(demanded)])
    try:
        look = Look(Before.of(tree.path, excludes_env(tree)), instant(), began)
    finally:
        more.end()
    return look, [*hindrances(demanded, look.before), *more.answer()]


def plain_outputs(tree: RunTree, queue: Queue, job: Job) -> tuple[str, ...]:
    """Return what plain jobs of the same batch were to write into code: it is no code, and may lie there."""
    if tree.project.paths:
        return ()
    inside = f"{tree.project.code}/"
    declared = (path for one in queue.jobs(job.batch) if one.spec.plain for path in one.spec.outputs)
    return tuple(path.removeprefix(inside) for path in declared if path.startswith(inside))
