"""An attempt from its start to its outcome: start it, look how it fares, stop it, say what it came to."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from wtwatch.doors import containers
from wtwatch.doors.dataset import results_of, spec_of
from wtwatch.doors.files import bell_in, held
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import Repo
from wtwatch.job import again, cards, elsewhere, locks, outlived, resuming, verdict
from wtwatch.job.attempt import LOCK, MARK, CommandEnd, Folder, Order, Result
from wtwatch.job.executor import Executor, Handle, Life, wrapper_of
from wtwatch.job.handed import Look
from wtwatch.job.here import Here, left_running
from wtwatch.job.readiness import Demands
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.project.variables import Wanted
from wtwatch.tree import bytecode, carried, environment, gitlinks
from wtwatch.tree.changes import commits_since
from wtwatch.tree.states import After, Before
from wtwatch.words import executors, resources
from wtwatch.words.errors import Busy, Refused, WtwatchError
from wtwatch.words.executors import Place
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now
from wtwatch.words.uses import Uses

GRACE = 10.0
"""Seconds that a job has to end by itself after it was told to."""

TURNS = 3
"""Processes that are started to save what an attempt computed, before it is given up."""

GRACE_OF_A_CLUSTER = 90.0
"""The same on a cluster, which forces it itself (slurm.conf(5), KillWait: 30 s by default)."""

_AS_SEEN = {Life.QUEUED: "waits there", Life.ALIVE: elsewhere.RUNS, Life.UNKNOWN: "not known"}

HERE = Here()


def executor_of(place: Place) -> Executor:
    """Return what starts the jobs of a project that has them run at ``place``."""
    if place.kind == "here":
        return HERE
    from wtwatch.job import slurm  # which no other place needs

    return slurm.of(place)


class NotBegun(NamedTuple):
    """An attempt that ended before its command began, since the tree was not as it has to be."""

    reason: str


def demands(tree: RunTree, spec: JobSpec, code_sha: Sha, also: tuple[str, ...] = ()) -> Demands:
    """Return what a job demands of the tree; ``also`` are more untracked paths that may lie in its code."""
    settings = tree.project
    if spec.rerun_of:
        spec = spec_of(tree.path, spec.rerun_of) or spec
    elif spec.container:
        with suppress(WtwatchError):  # it is not known any more, which its process says
            needs = containers.found(tree.path, spec.container).inputs
            spec = spec._replace(inputs=(*spec.inputs, *needs))
    allowed = (*settings.protected, *settings.ignore_untracked, *also)
    code = "" if settings.paths else settings.code
    branch = None if tree.lane else tree.branch
    return Demands(tree.path, code, code_sha, branch, allowed, spec, settings.paths)


class Ground(NamedTuple):
    """On what a job starts: the superdataset's commit, and the descriptor of the lock of its tree, held.

    ``look``: a look at the tree, just made, by which nothing is in its way.
    """

    base: Sha
    lock: int
    look: Look | None = None


def start(tree: RunTree, job: Job, demanded: Demands, ground: Ground) -> Running:
    """Start ``job`` as ``demanded``, on its ``ground``; return how it runs.

    Its process inherits the lock of the run tree, and holds it until its work is done. If this attempt was
    started before, by a daemon that died before it could tell the queue, nothing is started, and how that
    one runs is returned. Raises :class:`WtwatchError` if it does not start.
    """
    earlier = begun(tree, job)
    if earlier is not None:
        return earlier
    folder, base, look = _folder(tree, job), ground.base, ground.look
    other = folder.order()
    if other is not None and other.queued != job.queued:
        folder.set_aside()
    settings, top, there = tree.project, Repo(tree.path), environment.present(tree)
    left, left_paths = (resuming.kept(tree, job.id, job.attempt) if job.spec.resume else None) or (None, ())
    computed = again.before(tree, job, demanded, base)
    if computed is not None:
        left = again.place_of(tree, computed)
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
        fast=settings.fast,
        wanted=Wanted(settings.preamble, settings.env, job.spec.setenv, settings.secret, job.spec.cpus),
        limits=settings.limits,
        allocated=cards.dealt(settings, job),
        packages=there.packages,
        main_tree=settings.main_tree,
        left=left,
        left_paths=left_paths,
        carried=tuple(carried.present(tree).items()),
        computed=computed.path if computed else None,
        links=gitlinks.gitlinks(top) if head_of(top) == base else None,
        below=gitlinks.known_below(tree.path),
        prefix=tree.prefix,
        copies=there.copies,
        leads=there.leads,
        lane=tree.lane,
        ignore_outputs=settings.ignore_outputs,
        prune_outputs=settings.prune_outputs,
        looked=look.at if look is not None else None,
        look_began=look.began if look is not None else None,
    )
    bytecode.stands_for(tree, demanded.code_sha)
    folder.write_order(order)
    if look is not None:
        folder.write_before(look.before)
    try:
        _launch(executor_of(executors.of(settings.executor)), tree, folder, order, ground.lock)
    except Refused as error:  # the same would come of another try, so the job has failed
        elsewhere.give_up(folder, Result(1, (), now(), error.message))
    except WtwatchError:
        if not elsewhere.is_submitted(folder):
            raise
        # else a cluster may have it, though it gave no answer: looking for it will tell
    return Running(order.at, order.code_sha, base, order.uuid, tree.lane)


def begun(tree: RunTree, job: Job) -> Running | None:
    """Return how a job runs that has a process already, whatever the queue says of it."""
    folder = _folder(tree, job)
    order = folder.order()
    if order is None or order.queued != job.queued:
        return None
    if folder.started() is None and not elsewhere.is_submitted(folder):
        return None
    return Running(order.at, order.code_sha, order.base, order.uuid, order.lane)


def _launch(executor: Executor, tree: RunTree, folder: Folder, order: Order, lock: int) -> None:
    marks = {MARK: order.uuid, LOCK: str(lock), "PWD": str(tree.path)}
    handle = Handle(order.uuid, folder)
    env = for_jobs(tree) | excludes_env(tree) | dict(order.allocated) | marks
    try:
        command = wrapper_of(folder, executor.shared_host)
        executor.submit(handle, command, env, tree.path, resources.of(order.spec))
    except Refused:
        raise
    except WtwatchError as error:
        raise WtwatchError(f"Job {order.job} could not be started. {error.message}", error.hint) from error


def uses_of(tree: RunTree, job: Job) -> Uses:
    """Return what the last attempt of a job used of the code; all of it where that is not known."""
    try:
        return _folder(tree, job).uses()
    except WtwatchError as error:
        return Uses(whole=error.message)


def forget(tree: RunTree, job: Job) -> None:
    """Drop what is written down of the job's last attempt, whose command did not begin."""
    with suppress(FileNotFoundError):
        _folder(tree, job).discard()


def log_file(tree: RunTree, job: Job) -> Path:
    """Return where the job's last attempt prints to; it exists once that was started."""
    return _folder(tree, job).log


def _folder(tree: RunTree, job: Job) -> Folder:
    return Folder.of(tree.project.state, job.id, job.attempt)


def _executor(tree: RunTree, folder: Folder) -> Executor:
    """Return what started the attempt of a folder, whatever is set by now."""
    place = executors.of(tree.project.executor)
    return executor_of(place._replace(kind="slurm" if elsewhere.is_submitted(folder) else "here"))


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
    executor, why = _executor(tree, handle.folder), None
    result = handle.folder.result()
    if result is None or (_may_be_forced(result) and not (executor.shared_host or cancelled)):
        life, why = executor.poll([handle])[handle.uuid]
        if life in (Life.ALIVE, Life.QUEUED, Life.UNKNOWN):
            if not executor.shared_host:
                elsewhere.note_seen(handle.folder, ": ".join(filter(None, [_AS_SEEN[life], why])))
            return None
        result = handle.folder.result()  # it may have ended between the two looks
        if result is None and life is Life.ORPHANED:
            stop(tree, job)
            return None
    if result is None and not cancelled and _goes_on(tree, handle.folder):
        return None
    if result is None:
        result = _taken_up(tree, job, handle.folder)
    if not result.began:
        return NotBegun(result.error or "the tree was not as it has to be")
    handle.folder.settle()
    outcome = _outcome(tree, job.spec, running, result, cancelled)
    detail = result.error
    if outcome is Outcome.INTERRUPTED:
        cut_off = why or "its process was told to end, killed, or lost with the machine's power"
        detail = "; ".join(filter(None, [f"it was cut off: {cut_off}", detail]))
    elif outcome is Outcome.FAILED:
        detail = "; ".join(filter(None, [detail, why])) or None
    else:
        detail = "; ".join(filter(None, [detail, *outlived.in_words(handle.folder)])) or None
    return Ended(
        running.started,
        result.ended,
        running.code_sha,
        outcome,
        result.exit,
        result.commits,
        detail,
        running.lane,
    )


def _may_be_forced(result: Result) -> bool:
    """Return whether a cluster may know why it ended: told to end, or its command killed."""
    return result.stopped or result.exit in (-signal.SIGKILL, 128 + signal.SIGKILL)


def _goes_on(tree: RunTree, folder: Folder) -> bool:
    """Have a process save what an attempt computed whose own died before that; return whether one does.

    While somebody else has the tree, it is to be asked again. After some such processes it is given up.
    """
    order = folder.order()
    if order is None or not folder.is_unsaved() or not tree.path.is_dir():
        return False
    try:
        with held(tree.lock) as lock:
            if folder.turn() > TURNS:
                return False
            now_there = After.of(tree.path, excludes_env(tree))
            locks.drop(tree, folder.before() or Before(()), now_there, again=True)
            _launch(HERE, tree, folder, order, lock)  # wherever it ran: its tree is here, too
    except Busy:
        pass
    return True


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
    if after is None or folder.is_unsaved():  # the sooner it is looked, the less of others is among it
        after = After.of(tree.path, excludes_env(tree))
        with suppress(OSError):
            folder.write_after(after)
    commits = commits_since(tree.path, running.base)
    end = folder.command()
    saved = bool(results_of(tree.path, running.uuid, running.base))
    if end is None and saved:
        end = CommandEnd(0)
    if end is None:
        return Result(None, commits, now(), stopped=True)
    if folder.is_unsaved() and not saved:
        why = f"what it computed could not be saved: {TURNS} processes were killed at that"
        return Result(1, commits, now(), why)
    faults = folder.verified()
    if faults is None:
        demanded = demands(tree, job.spec, running.code_sha)
        faults = verdict.of_attempt(demanded, folder.before(), after, folder.written())
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
    handle = _handle(tree, job)
    _stop(_executor(tree, handle.folder), handle)


def _stop(executor: Executor, handle: Handle) -> None:
    grace = GRACE if executor.shared_host else GRACE_OF_A_CLUSTER
    executor.cancel([handle], force=handle.folder.stopping_for() > grace)


def end_what_is_left(folder: Folder, uuid: str) -> tuple[int, ...]:
    """Have what a job that did not succeed left running end; return the pids that are still there.

    To be called again until there are none: after 10 s they are forced.
    """
    handle = Handle(uuid, folder)
    left = left_running(handle)
    if left:
        _stop(HERE, handle)
    return tuple(left)
