"""One job from start to outcome: may it start, start it, look how it fares, stop it, clear up behind it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from uuid import uuid4

from wtwatch.doors.dataset import results_of, spec_of
from wtwatch.doors.files import bell_in
from wtwatch.doors.processes import bearing, is_alive, send
from wtwatch.doors.repo import Repo
from wtwatch.job import leftovers
from wtwatch.job.attempt import LOCK, MARK, Folder, Order, Result
from wtwatch.project.env import tree_env
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.tree.changes import Subdataset, commits_since, read_changes, start_changes, subdatasets
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now

START_LIMIT = 60.0
"""Seconds within which a job's process must have said that it started."""

GRACE = 10.0
"""Seconds that a job has to end by itself after it was told to."""

_SHOWN = 3


def ready(tree: RunTree, job: Job) -> list[str]:
    """Return what in the run tree keeps ``job`` from starting, as sentences with the way out; none: go.

    Superdataset and subdatasets must be as they are committed (``ignore_untracked`` apart, and code, which
    a sync looks after), and what the job declares must not lie in a subdataset that is not there.
    """
    inside = list(subdatasets(tree.path))
    spec = job.spec
    if spec.rerun_of:
        spec = spec_of(tree.path, spec.rerun_of) or spec
    return [*_uninstalled(tree, inside, spec), *_unfinished(tree), *_unsaved(tree, inside)]


def _uninstalled(tree: RunTree, inside: Sequence[Subdataset], spec: JobSpec) -> Iterator[str]:
    for path in (sub.path for sub in inside if not sub.installed):
        for declared in (*spec.inputs, *spec.outputs):
            if _reaches_into(declared, path, tree.path):
                yield (
                    f"{declared} lies in the subdataset {path}, which is not in the run tree. Run "
                    f"`datalad get -n {shlex.quote(path)}` in {tree.project.main_tree}, then "
                    "`wtwatch init` again."
                )
                break


def _reaches_into(declared: str, subdataset: str, top: Path) -> bool:
    """Return whether a declared path, which may have wildcards, is in a subdataset or is that itself."""
    relative = os.path.relpath(os.path.join(top, declared), top)  # noqa: PTH118 (words alone, no disk)
    parts, wanted = Path(relative).parts, Path(subdataset).parts
    return len(parts) >= len(wanted) and all(
        fnmatchcase(there, pattern) for there, pattern in zip(wanted, parts, strict=False)
    )


def _unfinished(tree: RunTree) -> Iterator[str]:
    operation = Repo(tree.path).operation()
    if operation:
        yield f"A git {operation} is under way in {tree.path}. End it there, or call it off."


def _unsaved(tree: RunTree, inside: Sequence[Subdataset]) -> Iterator[str]:
    env = excludes_env(tree)
    paths = ["", *(sub.path for sub in inside if sub.installed)]
    asked = [(path, start_changes(tree.path / path, env)) for path in paths if path != tree.project.code]
    for path, started in asked:
        found = read_changes(tree.path / path, started)
        names = sorted(str(Path(path, change.path)) for change in found)
        if names:
            more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
            where = tree.path / path
            yield f"{', '.join(names[:_SHOWN])}{more}: not saved. Commit, move or delete that in {where}."


def start(tree: RunTree, job: Job, code: Sha, base: Sha, lock: int) -> Running:
    """Start ``job`` on the code commit ``code``, with the superdataset at ``base``; return how it runs.

    Its process inherits ``lock``, the descriptor of the run tree's lock, and holds it until its work is
    done. If this attempt was started before, by a daemon that died before it could tell the queue, nothing
    is started, and how that one runs is returned. Raises :class:`WtwatchError` if it does not start.
    """
    earlier = begun(tree, job)
    if earlier is not None:
        return earlier
    folder = Folder.of(tree.state, job.id, job.attempt)
    other = folder.order()
    if other is not None and other.queued != job.queued:
        folder.set_aside()
    order = Order(
        job=job.id,
        attempt=job.attempt,
        queued=job.queued,
        uuid=str(uuid4()),
        at=now(),
        run_tree=tree.path,
        code_path=tree.code_path,
        code=code,
        base=base,
        bell=bell_in(Repo(tree.code_path).common_dir()),
        spec=job.spec,
    )
    folder.write_order(order)
    _launch(tree, folder, order, lock)
    return Running(order.at, code, base, order.uuid)


def begun(tree: RunTree, job: Job) -> Running | None:
    """Return how a job runs that has a process already, whatever the queue says of it."""
    folder = Folder.of(tree.state, job.id, job.attempt)
    order = folder.order()
    if order is None or order.queued != job.queued or folder.started() is None:
        return None
    return Running(order.at, order.code, order.base, order.uuid)


def _launch(tree: RunTree, folder: Folder, order: Order, lock: int) -> None:
    marks = {MARK: order.uuid, LOCK: str(lock), "PWD": str(tree.path)}
    with folder.log.open("ab") as log:
        try:
            # -P: what lies in the run tree must not be imported in place of what is meant
            code = subprocess.run(
                [sys.executable, "-P", "-m", "wtwatch.job.wrapper", str(folder.path)],
                cwd=tree.path,
                env=tree_env(tree) | excludes_env(tree) | marks,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                timeout=START_LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
    if code != 0:
        said = folder.log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        raise WtwatchError(
            f"Job {order.job} could not be started (exit {code}): {said[-1]}", f"See {folder.log}."
        )


def log_file(tree: RunTree, job: Job) -> Path:
    """Return where the job's last attempt prints to; it exists once that was started."""
    return Folder.of(tree.state, job.id, job.attempt).log


def end_of(tree: RunTree, job: Job, cancelled: bool) -> Ended | None:
    """Return how a running job ended, or ``None`` while it runs; ``cancelled``: somebody asked it to stop.

    A process that died without an outcome is judged by what is there: a result commit that names this
    attempt means success. What is left of its processes is ended first, which may take some more looks.
    """
    running = job.state
    assert isinstance(running, Running)
    folder = Folder.of(tree.state, job.id, job.attempt)
    result = folder.result()
    if result is None:
        process = folder.started()
        if process is not None and is_alive(process):
            return None
        result = folder.result()  # it may have ended between the two looks
    if result is None:
        if _orphans(folder, running.uuid):
            stop(tree, job)
            return None
        result = Result(None, commits_since(tree.path, running.base), now(), stopped=True)
    outcome = _outcome(tree, job.spec, running, result, cancelled)
    detail = result.error
    if outcome is Outcome.INTERRUPTED:
        detail = "it was cut off: its process was told to end, killed, or lost with the machine's power"
    return Ended(running.started, result.ended, running.code, outcome, result.exit, result.commits, detail)


def _orphans(folder: Folder, uuid: str) -> list[int]:
    return bearing(MARK, uuid, folder.started())


def _outcome(tree: RunTree, spec: JobSpec, running: Running, result: Result, cancelled: bool) -> Outcome:
    if result.exit == 0 and result.error is None:
        return Outcome.SUCCEEDED if result.commits or spec.plain else Outcome.UNCHANGED
    if result.stopped and results_of(tree.path, running.uuid, running.base):
        return Outcome.SUCCEEDED
    if cancelled:
        return Outcome.CANCELLED
    return Outcome.INTERRUPTED if result.stopped else Outcome.FAILED


def stop(tree: RunTree, job: Job) -> None:
    """Tell a running job to end; call again until :func:`end_of` says that it did: after 10 s it is forced.

    All of its processes are told, and none that only has the pid of one.
    """
    running = job.state
    assert isinstance(running, Running)
    folder = Folder.of(tree.state, job.id, job.attempt)
    since = folder.mark_stopping()
    forced = time.time() - since > GRACE
    send(_orphans(folder, running.uuid), signal.SIGKILL if forced else signal.SIGTERM)


def tidy(tree: RunTree, job: Job) -> Path | None:
    """Move what an ended job left out of the run tree, unless it succeeded; return where that is, if any.

    Whoever calls holds the lock of the run tree. To be called before the queue is told of the end, so that
    a daemon that dies in between clears up the next time.
    """
    over = job.state
    assert isinstance(over, Ended)
    if over.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED) or over.started is None:
        return None
    return leftovers.clear(tree, f"{job.id}.{job.attempt}", over.started)
