"""The story in one place: notice → sync → save → run.

Nothing here reacts to events. A tick reads the truth, compares, and does the next needed things; it is safe
to call at any time and twice, which alone makes restarts, lost events and A→B→A harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from typing import NamedTuple

from wtwatch.doors import processes
from wtwatch.doors.files import held
from wtwatch.doors.repo import Repo
from wtwatch.job import run
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import Waits
from wtwatch.queue.jobs import Queue
from wtwatch.tree import codetree, environment, save, sync
from wtwatch.tree import tip as bookmark
from wtwatch.tree.codetree import Facts
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import (
    Backup,
    Ended,
    EnvironmentState,
    Job,
    Process,
    Running,
    Sha,
    SyncDone,
    now,
)

LOOK = 2.0
"""Seconds until the next look at a job that runs: one that was killed cannot say that it ended."""

STOPPING = 0.5
"""Seconds until the next look at a job that was told to end."""

PATIENCE = 5.0
"""Seconds that a command waits for the daemon's tick, and a tick for the last process of a job that ended."""

ASIDE = (":(top)", ":(exclude,top)docs/**", ":(exclude,top)*.md", ":(exclude,top)README*")
"""What a move may change without concerning a job: pathspecs (gitglossary(7)) for all but documentation."""


class TickOptions(NamedTuple):
    """How a tick is to be done.

    ``start_jobs``: the daemon's; ``force``: back up, then move; ``hurry``: do not wait for the bookmark to be
    still; ``ignore``: pids that do not count as busy; ``patience``: seconds to wait for another command or
    tick that works on the run tree; ``stop`` is asked during a long set-up.
    """

    start_jobs: bool = False
    force: bool = False
    hurry: bool = False
    ignore: tuple[int, ...] = ()
    patience: float = 0.0
    stop: Callable[[], bool] = lambda: False


class Done(NamedTuple):
    """What a tick did, and what it waits for.

    ``again_in`` is when the next tick is due without any event, in seconds.
    """

    moved: SyncDone | None = None
    backup: Backup | None = None
    pointer: Sha | None = None
    ended: Job | None = None
    started: Job | None = None
    fired: tuple[int, ...] = ()
    waits: str | None = None
    hint: str | None = None
    busy: tuple[Process, ...] = ()
    again_in: float | None = None


def tick(project: Project, options: TickOptions) -> Done:
    """Carry the newest tip from notice to run; return what was done. Raises :class:`WtwatchError`."""
    tree, queue = RunTree.of(project), Queue(project.state)
    ended = None
    running = queue.running() or _take_up(tree, queue)
    if running is not None:
        _note_tip(queue, bookmark.read(tree.project).commit, options)
        ended = _look_at(tree, running)
        if ended is None:
            return Done(again_in=STOPPING if running.cancel_requested else LOOK)
    if not tree.path.is_dir():
        raise WtwatchError(
            f"The run tree {tree.path} is gone.",
            "Mount its disk, or make it anew with `wtwatch init` in the main tree.",
        )
    with held(tree.lock, wait=PATIENCE if ended else options.patience) as lock:
        sync.recover(tree)
        environment.recover(tree)
        if ended is not None:
            ended = _finish(tree, queue, ended)
        done = _bring_up_to_date(tree, queue, options)
        done = done._replace(ended=ended)
        if options.start_jobs and done.waits is None:
            done = _start_next(tree, queue, done, lock)
    _note_waiting(queue, done)
    return done


def _take_up(tree: RunTree, queue: Queue) -> Job | None:
    """Return the job that was started by a daemon which died before it could tell the queue, if any."""
    job = queue.next_job(though_paused=True)
    running = run.begun(tree, job) if job else None
    if job is None or running is None:
        return None
    queue.begin(job.id, running)
    return queue.job(job.id)


def _look_at(tree: RunTree, job: Job) -> Job | None:
    """Return the job with its end, or ``None`` while it runs (then a cancelled one is told to stop)."""
    over = run.end_of(tree, job, job.cancel_requested)
    if over is None:
        if job.cancel_requested:
            run.stop(tree, job)
        return None
    return job._replace(state=over)


def _finish(tree: RunTree, queue: Queue, job: Job) -> Job | None:
    """Clear up behind a job that ended, keep the code its results name, and only then say that it ended.

    ``None`` if another tick did all that while this one waited for the run tree.
    """
    before = queue.running()
    if before is None or (before.id, before.attempt) != (job.id, job.attempt):
        return None
    began = before.state
    assert isinstance(began, Running) and isinstance(job.state, Ended)
    left = run.tidy(tree, job)
    save.keep_named(tree, began.base)
    details = [job.state.detail, f"what it left is in {left}" if left else None]
    head = Repo(tree.code_path).resolve("HEAD")
    if head is not None and head != began.code:
        save.keep(tree, {head})
        edited = codetree.facts_of(tree).edited
        sync.apply(tree, sync.Move(head, began.code, backup=bool(edited), edited=edited))
        details.append(f"it committed into {tree.project.code}: {head} is kept")
    state = job.state._replace(detail="; ".join(filter(None, details)) or None)
    queue.end(job.id, state)
    return job._replace(state=state)


def _bring_up_to_date(tree: RunTree, queue: Queue, options: TickOptions) -> Done:
    began = time.monotonic()
    facts = codetree.facts_of(tree)
    if not facts.present:
        raise WtwatchError(
            f"The run tree {tree.path} is not whole: it lacks {tree.project.code}, or its .git.",
            "`wtwatch init` in the main tree makes what is missing.",
        )
    _note_tip(queue, facts.tip, options)
    batch = queue.under_way()
    if batch is not None:
        return _hold(tree, queue, facts, batch)
    step = sync.next_step(tree, facts, options.force)
    if isinstance(step, sync.Blocked):
        return Done(waits=step.reason, hint=step.hint)
    assert facts.tip is not None
    moves = isinstance(step, sync.Move)
    wanted = environment.requirements(facts.tip_tree)
    if moves or not _is_settled(tree, facts.tip, wanted):
        busy = processes.working_in(tree.path, tree.project.passive, options.ignore)
        if busy:
            return _busy(busy)
    done = Done()
    if moves or step != sync.Fresh():
        done = Done(backup=sync.apply(tree, step))
    if moves:  # what was in the way is so no more, and the environment may take its time
        _note_waiting(queue, Done())
    done = _with_pointer(tree, queue, done, facts.tip)
    if moves and facts.parked is not None:
        old = facts.applied or facts.parked
        backup = done.backup.id if done.backup else None
        moved = SyncDone(now(), old, facts.tip, time.monotonic() - began, backup)
        queue.record_sync(moved)
        done = done._replace(moved=moved)
    if done.waits is not None:
        return done
    verdict = environment.noted(tree, wanted)
    known_broken = verdict.state is EnvironmentState.BROKEN and not moves
    if moves or (verdict.ready and options.start_jobs and queue.next_job() is not None):
        verdict = environment.finish_probe(tree, environment.start_probe(tree), wanted)
    if not verdict.ready and not (known_broken and not options.hurry):
        verdict = environment.set_up(tree, wanted, verdict, options.stop)
    if not verdict.ready:
        return done._replace(
            waits=f"The environment of the run tree is {verdict.state.value}: {verdict.detail}.",
            hint="Mend it, then `wtwatch sync`.",
        )
    return _fire(tree, queue, done, facts.tip, facts.working_copy)


def _hold(tree: RunTree, queue: Queue, facts: Facts, batch: int) -> Done:
    """While a batch is under way its code stays; only say so if somebody took the tree elsewhere."""
    code = queue.batch_code(batch)
    if code is not None and facts.head != code:
        return Done(
            waits=f"Batch {batch} runs on {code[:10]}, but somebody took the run tree's code elsewhere.",
            hint=f"git -C {tree.code_path} checkout --detach {code}, or cancel the batch.",
        )
    if facts.edited:
        return Done(
            waits=f"The run tree's code was edited: {', '.join(facts.edited[:3])}.",
            hint=f"Undo it there: git -C {tree.code_path} checkout -- PATH, or cancel batch {batch}.",
        )
    return Done()


def _busy(busy: Iterable[Process]) -> Done:
    present = tuple(busy)
    first = present[0]
    return Done(
        waits=f"{first.name} (pid {first.pid}) works in the run tree, so nothing moves there.",
        hint=f"It goes on by itself when that ends; `wtwatch sync --ignore-pid {first.pid}` does not wait.",
        busy=present,
    )


def _is_settled(tree: RunTree, tip: Sha, wanted: str) -> bool:
    """Return whether pointer and environment are right for ``tip``, so that nothing has to be changed."""
    if save.pointer_of(tree).recorded != tip or save.cut_off(tree):
        return False
    return environment.noted(tree, wanted).ready


def _with_pointer(tree: RunTree, queue: Queue, done: Done, tip: Sha) -> Done:
    """Save the pointer; if that is refused, the move is done all the same, and waits there."""
    try:
        return done._replace(pointer=_save_pointer(tree, queue, tip))
    except WtwatchError as error:
        return done._replace(waits=error.message, hint=error.hint)


def _save_pointer(tree: RunTree, queue: Queue, tip: Sha) -> Sha | None:
    pointer = save.pointer_of(tree)
    if pointer.recorded == tip and not save.cut_off(tree):
        return None
    return save.record(tree, tip, not queue.was_used(pointer.head), pointer)


def _note_tip(queue: Queue, tip: Sha | None, options: TickOptions) -> None:
    """Note since when the bookmark is where it is, also while a batch runs."""
    if tip is None:
        return
    queue.note_tip(tip)
    if options.hurry:
        queue.hurry(tip)


def _fire(tree: RunTree, queue: Queue, done: Done, tip: Sha, working_copy: bool) -> Done:
    """Make batches of what waited for this move, once the bookmark has been still for long enough."""
    if not queue.pending(tip):
        return done
    if working_copy:
        return _unfinished(tree, done)
    still = queue.still(tip)
    if still < tree.project.settle and not queue.hurries(tip):
        return done._replace(again_in=tree.project.settle - still)
    return done._replace(fired=tuple(queue.fire(tip, lambda old, new: concerns_jobs(tree.project, old, new))))


def _unfinished(tree: RunTree, done: Done) -> Done:
    return done._replace(
        waits=f"No batch starts: the bookmark {tree.project.bookmark} is on jj's working-copy commit, "
        "which each edit rewrites.",
        hint=f"Finish that commit: jj commit   (in {tree.project.main_code})",
    )


def concerns_jobs(project: Project, old: Sha, new: Sha) -> bool:
    """Return whether code differs between two commits in more than documentation; unknown counts as yes."""
    return not Repo(project.main_code).succeeds("diff", "--quiet", old, new, "--", *ASIDE)


def _start_next(tree: RunTree, queue: Queue, done: Done, lock: int) -> Done:
    job = queue.next_job()
    if job is None:
        return done
    if queue.batch_code(job.batch) is None and bookmark.read(tree.project).working_copy:
        return _unfinished(tree, done)
    busy = processes.working_in(tree.path, tree.project.passive)
    if busy:
        return _busy(busy)._replace(moved=done.moved, fired=done.fired, ended=done.ended)
    code = Repo(tree.code_path).resolve("HEAD")
    assert code is not None
    pointer = save.pointer_of(tree)
    base = pointer.head
    if pointer.recorded != code or save.cut_off(tree):  # a job may have saved another
        base = save.record(tree, code, foldable=False) or base
    problems = [*_code_is_not_clean(tree), *run.ready(tree, job)]
    if problems:
        return done._replace(
            waits=f"The run tree is not clean, so job {job.id} cannot start: {problems[0]}",
            hint="\n".join([*problems[1:], "Then it goes on by itself."]),
        )
    queue.note_used(base)
    job = job._replace(state=run.start(tree, job, code, base, lock))
    assert isinstance(job.state, Running)
    try:
        queue.begin(job.id, job.state)
    except WtwatchError:  # it was removed from the queue this very moment
        run.stop(tree, job)
        raise
    return done._replace(started=job)


def _code_is_not_clean(tree: RunTree) -> list[str]:
    found = Repo(tree.code_path).changes("--untracked-files=all")
    own = (*tree.project.protected, *tree.project.ignore_untracked)
    untracked = [path for path in found.untracked if not any(fnmatch(path, pattern) for pattern in own)]
    names = [*found.edited, *found.unmerged, *untracked]
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [
        f"{', '.join(names[:3])}{more} in {tree.code_path}: not part of the applied commit. Move that away."
    ]


def _note_waiting(queue: Queue, done: Done) -> None:
    """Leave word for ``status`` of what the tick waits for."""
    waits = None if done.waits is None else Waits(done.waits, done.hint, bool(done.busy), now())
    queue.note_waits(waits)


def explain_error(project: Project, error: WtwatchError) -> None:
    """Leave word for ``status`` of what made a tick fail, apart from what it sees itself.

    That is a tree that is gone, and may be back before the next tick; nor is one that was held a trouble.
    """
    if not isinstance(error, Busy) and codetree.is_present(RunTree.of(project)):
        _note_waiting(Queue(project.state), Done(waits=error.message, hint=error.hint))
