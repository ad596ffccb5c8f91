"""An attempt from its start to its outcome: start it, look how it fares, stop it, say what it came to."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from wtwatch.doors.dataset import results_of, spec_of
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.job import resuming, verdict
from wtwatch.job.attempt import LOCK, MARK, CommandEnd, Folder, Order, Result
from wtwatch.job.executor import Executor, Handle, Life, Resources
from wtwatch.job.here import Here, left_running
from wtwatch.job.readiness import Demands
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.project.variables import Wanted
from wtwatch.tree import bytecode, carried, environment
from wtwatch.tree.changes import commits_since
from wtwatch.tree.states import After
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now

GRACE = 10.0
"""Seconds that a job has to end by itself after it was told to."""

HERE: Executor = Here()


class NotBegun(NamedTuple):
    """An attempt that ended before its command began, since the tree was not as it has to be."""

    reason: str


def demands(tree: RunTree, spec: JobSpec, code_sha: Sha, also: tuple[str, ...] = ()) -> Demands:
    """Return what a job demands of the tree; ``also`` are more untracked paths that may lie in its code."""
    settings = tree.project
    if spec.rerun_of:
        spec = spec_of(tree.path, spec.rerun_of) or spec
    allowed = (*settings.protected, *settings.ignore_untracked, *also)
    code = "" if settings.paths else settings.code
    return Demands(tree.path, code, code_sha, tree.branch, allowed, spec, settings.paths)


def start(tree: RunTree, job: Job, demanded: Demands, base: Sha, lock: int) -> Running:
    """Start ``job`` as ``demanded``, with the superdataset at ``base``; return how it runs.

    Its process inherits ``lock``, the descriptor of the run tree's lock, and holds it until its work is
    done. If this attempt was started before, by a daemon that died before it could tell the queue, nothing
    is started, and how that one runs is returned. Raises :class:`WtwatchError` if it does not start.
    """
    earlier = begun(tree, job)
    if earlier is not None:
        return earlier
    folder = _folder(tree, job)
    other = folder.order()
    if other is not None and other.queued != job.queued:
        folder.set_aside()
    settings = tree.project
    left, left_paths = (resuming.kept(tree, job.id, job.attempt) if job.spec.resume else None) or (None, ())
    order = Order(
        job=job.id,
        attempt=job.attempt,
        queued=job.queued,
        uuid=str(uuid4()),
        at=now(),
        run_tree=tree.path,
        code_path=tree.code_path,
        code_sha=demanded.code_sha,
        base=base,
        bell=bell_in(Repo(tree.code_path).common_dir()),
        spec=job.spec,
        branch=demanded.branch,
        allowed=demanded.allowed,
        paths=demanded.paths,
        wanted=Wanted(settings.preamble, settings.env, job.spec.setenv, settings.secret),
        limits=settings.limits,
        packages=environment.packages(tree),
        main_tree=settings.main_tree,
        left=left,
        left_paths=left_paths,
        carried=tuple(sorted(carried.noted(tree).here.items())) if settings.carry else (),
    )
    bytecode.stands_for(tree, demanded.code_sha)
    folder.write_order(order)
    _launch(tree, folder, order, lock)
    return Running(order.at, order.code_sha, base, order.uuid)


def begun(tree: RunTree, job: Job) -> Running | None:
    """Return how a job runs that has a process already, whatever the queue says of it."""
    folder = _folder(tree, job)
    order = folder.order()
    if order is None or order.queued != job.queued or folder.started() is None:
        return None
    return Running(order.at, order.code_sha, order.base, order.uuid)


def _launch(tree: RunTree, folder: Folder, order: Order, lock: int) -> None:
    marks = {MARK: order.uuid, LOCK: str(lock), "PWD": str(tree.path)}
    # -P: what lies in the run tree must not be imported in place of what is meant
    command = [sys.executable, "-P", "-m", "wtwatch.job.wrapper", "--detach", str(folder.path)]
    handle = Handle(order.uuid, folder)
    env = for_jobs(tree) | excludes_env(tree) | marks
    try:
        HERE.submit(handle, command, env, tree.path, Resources())
    except WtwatchError as error:
        raise WtwatchError(f"Job {order.job} could not be started. {error.message}", error.hint) from error


def forget(tree: RunTree, job: Job) -> None:
    """Drop what is written down of the job's last attempt, whose command did not begin."""
    with suppress(FileNotFoundError):
        _folder(tree, job).discard()


def log_file(tree: RunTree, job: Job) -> Path:
    """Return where the job's last attempt prints to; it exists once that was started."""
    return _folder(tree, job).log


def _folder(tree: RunTree, job: Job) -> Folder:
    return Folder.of(tree.project.state, job.id, job.attempt)


def _handle(tree: RunTree, job: Job) -> Handle:
    assert isinstance(job.state, Running)
    return Handle(job.state.uuid, _folder(tree, job))


def end_of(tree: RunTree, job: Job, cancelled: bool) -> Ended | NotBegun | None:
    """Return how a running job ended, or ``None`` while it runs; ``cancelled``: somebody asked it to stop.

    One that died without an outcome is judged by how far it came: see :mod:`wtwatch.job.attempt`. What is
    left of its processes is ended first, which may take some more looks.
    """
    running = job.state
    assert isinstance(running, Running)
    handle = _handle(tree, job)
    result = handle.folder.result()
    if result is None:
        life = HERE.poll([handle])[handle.uuid].life
        if life in (Life.ALIVE, Life.QUEUED, Life.UNKNOWN):
            return None
        result = handle.folder.result()  # it may have ended between the two looks
        if result is None and life is Life.ORPHANED:
            stop(tree, job)
            return None
    if result is None:
        result = _taken_up(tree, job, handle.folder)
    if not result.began:
        return NotBegun(result.error or "the tree was not as it has to be")
    handle.folder.settle()
    outcome = _outcome(tree, job.spec, running, result, cancelled)
    detail = result.error
    if outcome is Outcome.INTERRUPTED:
        cut_off = "it was cut off: its process was told to end, killed, or lost with the machine's power"
        detail = "; ".join(filter(None, [cut_off, detail]))
    return Ended(
        running.started, result.ended, running.code_sha, outcome, result.exit, result.commits, detail
    )


def _taken_up(tree: RunTree, job: Job, folder: Folder) -> Result:
    """Return what an attempt came to whose process is gone, from where it was cut off.

    A tree that is not there is waited for, by a :class:`WtwatchError`; of one in which a job left nothing
    that git can read, that is said.
    """
    try:
        return _judged(tree, job, folder)
    except (WtwatchError, OSError) as error:
        if not tree.path.is_dir():
            raise
        return Result(None, (), now(), f"how it left the tree cannot be seen: {error}", stopped=True)


def _judged(tree: RunTree, job: Job, folder: Folder) -> Result:
    running = job.state
    assert isinstance(running, Running)
    after = folder.after()
    if after is None:  # the sooner it is looked, the less of others is among it
        after = After.of(tree.path, excludes_env(tree))
        with suppress(OSError):
            folder.write_after(after)
    commits = commits_since(tree.path, running.base)
    end = folder.command()
    if end is None and results_of(tree.path, running.uuid, running.base):
        end = CommandEnd(0)
    if end is None:
        return Result(None, commits, now(), stopped=True)
    faults = folder.verified()
    if faults is None:
        faults = verdict.of_attempt(demands(tree, job.spec, running.code_sha), folder.before(), after)
    return Result(end.exit, commits, now(), verdict.in_words(end.error, faults))


def _outcome(tree: RunTree, spec: JobSpec, running: Running, result: Result, cancelled: bool) -> Outcome:
    if result.exit == 0 and result.error is None:
        return Outcome.SUCCEEDED if result.commits or spec.plain else Outcome.UNCHANGED
    with suppress(WtwatchError):  # as version 0.1.0 has it
        if result.stopped and results_of(tree.path, running.uuid, running.base):
            return Outcome.SUCCEEDED
    if cancelled:
        return Outcome.CANCELLED
    return Outcome.INTERRUPTED if result.stopped else Outcome.FAILED


def stop(tree: RunTree, job: Job) -> None:
    """Tell a running job to end; call again until :func:`end_of` says that it did: after 10 s it is forced.

    All of its processes are told, and none that only has the pid of one.
    """
    _stop(_handle(tree, job))


def _stop(handle: Handle) -> None:
    HERE.cancel([handle], force=handle.folder.stopping_for() > GRACE)


def end_what_is_left(folder: Folder, uuid: str) -> tuple[int, ...]:
    """Have what a job that did not succeed left running end; return the pids that are still there.

    To be called again until there are none: after 10 s they are forced.
    """
    handle = Handle(uuid, folder)
    left = left_running(handle)
    if left:
        _stop(handle)
    return tuple(left)
