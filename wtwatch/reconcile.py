"""The story in one place: notice → sync → save → run.

Nothing here reacts to events. A tick reads the truth, compares, and does the next needed things; it is safe
to call at any time and twice, which alone makes restarts, lost events and A→B→A harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from wtwatch.bring import carry, known, released, steps
from wtwatch.doors.beside import Beside
from wtwatch.doors.files import held
from wtwatch.doors.repo import Repo
from wtwatch.job import clearing, giving_way, lifecycle, starting, unsaved
from wtwatch.job.lifecycle import NotBegun
from wtwatch.job.others import others_in
from wtwatch.job.readiness import listed
from wtwatch.job.starting import Hindered
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import Brought, Waits
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.tree import carried, codetree, environment, save, sync
from wtwatch.tree import tip as bookmark
from wtwatch.tree.codetree import Facts
from wtwatch.tree.save import Pointer
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Backup, Ended, EnvironmentState, Job, Process, Sha, SyncDone, now
from wtwatch.words.quoting import quoted
from wtwatch.words.tick import Done as Done  # noqa: PLC0414 - part of what a tick offers
from wtwatch.words.tick import TickOptions as TickOptions  # noqa: PLC0414

LOOK = 2.0
"""Seconds until the next look at a job that runs: one that was killed cannot say that it ended."""

STOPPING = 0.5
"""Seconds until the next look at a job that was told to end."""

PATIENCE = 5.0
"""Seconds that a command waits for the daemon's tick, and a tick for the last process of a job that ended."""

ASIDE: tuple[str, ...] = (":(top)", ":(exclude,top)docs/**", ":(exclude,top)*.md", ":(exclude,top)README*")
"""What a move may change without concerning a job: pathspecs (gitglossary(7)) for all but documentation."""


class Site(NamedTuple):
    """What the steps of a tick are about: a run tree whose lock is held, the queue, how code stands.

    ``noted`` waits until the queue knows of the tip.
    """

    tree: RunTree
    queue: Queue
    options: TickOptions
    lock: int
    facts: Facts
    noted: Callable[[], None]


def tick(project: Project, options: TickOptions) -> Done:
    """Carry the newest tip from notice to run; return what was done. Raises :class:`WtwatchError`."""
    tree, queue = RunTree.of(project), Queue(project.state)
    ended = None
    running = queue.running() or starting.take_up(tree, queue)
    if running is not None:
        over = _look_at(tree, running)
        if over is None:
            return _while_it_runs(tree, queue, running, options)
        ended = _record_end(tree, queue, running, over)
        options = options._replace(patience=max(PATIENCE, options.patience))
    try:
        done = _with_tree(tree, queue, options)
    except WtwatchError as error:
        if ended is None:
            raise
        done = Done(waits=error.message, hint=error.hint, busy=_processes(error))
    if not (done.busy and options.after_failure):
        _note_waiting(queue, done)
    return done._replace(ended=ended)


def _while_it_runs(tree: RunTree, queue: Queue, job: Job, options: TickOptions) -> Done:
    """Note where the bookmark is; the batch may give way to that, as :mod:`wtwatch.job.giving_way` says."""
    tip = bookmark.read(tree.project).commit
    _note_tip(queue, tip, options)
    gave_way = giving_way.give_way(tree, queue, tip, concerns_jobs, lambda: codetree.facts_of(tree))
    ends = job.cancel_requested or (gave_way and tree.project.on_move == giving_way.STOPS)
    return Done(gave_way=gave_way, again_in=STOPPING if ends else LOOK)


def _look_at(tree: RunTree, job: Job) -> Ended | NotBegun | None:
    """Return how a job ended, or ``None`` while it runs (then a cancelled one is told to stop)."""
    over = lifecycle.end_of(tree, job, job.cancel_requested)
    if over is None and job.cancel_requested:
        lifecycle.stop(tree, job)
    return over


def _record_end(tree: RunTree, queue: Queue, job: Job, over: Ended | NotBegun) -> Job | None:
    """Record how a job ended, before anything else is done; ``None`` if another tick did that.

    One whose command did not begin waits again.
    """
    if isinstance(over, NotBegun):
        queue.put_back(job.id, over.reason)
        lifecycle.forget(tree, job)
        return None
    settings = tree.project
    tell = bool(settings.on_attention or settings.on_batch_end)
    return job._replace(state=over) if queue.end(job.id, over, settings.max_failures, tell) else None


def _with_tree(tree: RunTree, queue: Queue, options: TickOptions) -> Done:
    """Do what needs the run tree, with its lock held."""
    if not tree.path.is_dir():
        raise WtwatchError(
            f"The run tree {tree.path} is gone.",
            "Mount its disk, or make it anew with `wtwatch init` in the main tree.",
        )
    with held(tree.lock, wait=options.patience) as lock:
        sync.recover(tree)
        environment.recover(tree)
        carry.recover(tree, lambda: nested.complete(tree.project))
        done = _clear_up(tree, queue)
        if done.waits is None:
            if known.lost(tree) is None:
                known.look(tree)
            facts = _facts(tree, queue)
            noted = _noting(queue, facts.tip, options)
            done = _story(Site(tree, queue, options, lock, facts, noted))
    return done


def _clear_up(tree: RunTree, queue: Queue) -> Done:
    """Clear up behind the job that ended last; nothing moves or starts before that is done."""
    try:
        clearing.clear_up(tree, queue)
    except WtwatchError as error:
        return Done(waits=error.message, hint=error.hint, busy=_processes(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Done(
            waits=f"What the last job left cannot be cleared away: {where}{error.strerror or error}.",
            hint="Make room or give the right to write there; then it goes on by itself.",
        )
    return Done()


def _processes(error: WtwatchError) -> tuple[Process, ...]:
    return error.processes if isinstance(error, Busy) else ()


def _facts(tree: RunTree, queue: Queue) -> Facts:
    """Look at code; for edits at the tip only while a batch is under way, of which they would be no part."""
    facts = codetree.at_rest(tree) if queue.under_way() is None else None
    facts = facts or codetree.facts_of(tree)
    if not facts.present:
        raise WtwatchError(
            f"The run tree {tree.path} is not whole: it lacks {tree.project.code}, or its .git.",
            "`wtwatch init` in the main tree makes what is missing.",
        )
    return facts


def _story(site: Site) -> Done:
    """Tell the story from where it stands, step by step, up to the first that has to wait."""
    done = Done()
    try:
        for step in (_stay_on_branch, _follow, _start_next):
            done = step(site, done)
            if done.waits is not None:
                break
    finally:
        site.noted()
    return done


def _stay_on_branch(site: Site, done: Done) -> Done:
    """Wait for the run tree to be on its branch. Where that was rewritten under it, jobs go on."""
    branch, lost = Repo(site.tree.path).branch(), known.lost(site.tree)
    if branch == site.tree.branch and not (lost and site.facts.written):
        return done
    if lost is not None:
        return done._replace(waits=lost.reason, hint=lost.hint)
    problem = save.off_branch(site.tree.path, site.tree.branch, branch)
    return done._replace(waits=problem.message, hint=problem.hint)


def _follow(site: Site, done: Done) -> Done:
    """Bring code, pointer and environment to the tip, unless a batch keeps them where they are."""
    batch, facts = site.queue.under_way(), site.facts
    if batch is not None:
        gave_way = giving_way.give_way(site.tree, site.queue, facts.tip, concerns_jobs, lambda: facts)
        if gave_way is None:
            return _hold(site, batch)
        done = done._replace(gave_way=gave_way)
    for step in (_move, _bring, _carry, _set_up, _fire):
        done = step(site, done)
        if done.waits is not None:
            break
    return done


def _move(site: Site, done: Done) -> Done:
    """sync, save: bring code to the tip, and have the superdataset name it."""
    began, facts = time.monotonic(), site.facts
    step = sync.next_step(site.tree, facts, site.options.force)
    if isinstance(step, sync.Blocked):
        return done._replace(waits=step.reason, hint=step.hint)
    pointer, moves = save.pointer_of(site.tree), isinstance(step, sync.Move)
    if moves or not _is_settled(site, pointer):
        busy = others_in(site.tree, site.queue, site.options.ignore)
        if busy:
            return _busy(done, busy)
    done = _act(site, done, step, pointer)
    return _record_move(site, done, began) if moves else done


def _act(site: Site, done: Done, step: sync.Fresh | sync.Move, pointer: Pointer) -> Done:
    """Do the step, and save the pointer; git makes its commit while files are checked out.

    If that is refused, the move is done all the same, and waits there. Who sees the pointer is to find the
    tip noted as well.
    """
    tip, foldable = site.facts.tip, not site.queue.was_used(pointer.head)
    assert tip is not None
    with save.drafted(site.tree, tip, foldable, pointer) as draft:
        if step != sync.Fresh():
            done = done._replace(backup=_apply(site.tree, step))
        site.noted()
        if (
            isinstance(step, sync.Move)
            and site.tree.project.paths
            and released.has_all_of_main(site.tree, tip)
        ):
            site.queue.note_brought(Brought(tip))
        try:
            return done._replace(pointer=draft.save())
        except WtwatchError as error:
            return done._replace(waits=error.message, hint=error.hint)


def _apply(tree: RunTree, step: sync.Fresh | sync.Move) -> Backup | None:
    if tree.project.paths:
        return released.apply(tree, step, lambda: nested.complete(tree.project))
    return sync.apply(tree, step, then=save.journal(tree))


def _record_move(site: Site, done: Done, began: float) -> Done:
    """Keep what a move did; what was in its way is so no more, and the environment may take its time."""
    facts = site.facts
    old, backup = facts.applied or facts.parked, done.backup.id if done.backup else None
    if old is not None and facts.tip is not None:
        moved = SyncDone(now(), old, facts.tip, time.monotonic() - began, backup)
        site.queue.record_sync(moved)
        done = done._replace(moved=moved)
    if done.waits is None:
        _note_waiting(site.queue, Done())
    return done


def _bring(site: Site, done: Done) -> Done:
    """Bring what main has and the run tree lacks, with each move, or now if that was asked for.

    What bars it is noted for `status`, and holds nothing else up: code is where it is to be.
    """
    tree, queue, tip = site.tree, site.queue, site.facts.tip
    if tip is None or not (site.options.from_main or _is_due_from_main(site, tip)):
        return done
    busy = others_in(tree, queue, site.options.ignore)
    if busy:
        return _busy(done, busy)
    main, barred = steps.main_tip(tree.project)[0], None
    try:
        found = steps.coming(tree)
    except WtwatchError as error:
        found = steps.Held(error.message, error.hint or "Mend what is named.")
    if isinstance(found, steps.Coming):
        carry.carry_out(tree, found, lambda: nested.complete(tree.project))
        done = done._replace(brought=len(found.changes))
    elif isinstance(found, steps.Held):
        main, barred = None, (found.reason, found.hint)
    queue.note_brought(Brought(tip, main, barred))
    return done._replace(unbrought=barred)


def _is_due_from_main(site: Site, tip: Sha) -> bool:
    """Return whether code moved since main was looked at, and main did; which is then noted of code alone.

    A run tree that is new has all that main has.
    """
    if site.tree.project.from_main != "move":
        return False
    known, main = site.queue.brought(), steps.main_tip(site.tree.project)[0]
    if known is None:
        has_all = main is not None and Repo(site.tree.path).is_ancestor(main, "HEAD")
        site.queue.note_brought(Brought(tip, main if has_all else None))
        return False
    if known.code == tip:
        return False
    if known.main is not None and known.main == main:
        site.queue.note_brought(known._replace(code=tip))
        return False
    return True


def _carry(site: Site, done: Done) -> Done:
    """Copy the files that git ignores and code needs, with each move, or when they are asked for."""
    tree, asked = site.tree, site.options.from_main
    if not tree.project.carry or not (done.moved or asked or carried.is_due(tree)):
        return done
    busy = others_in(tree, site.queue, site.options.ignore)
    if busy:
        return _busy(done, busy)
    try:
        carried.refresh(tree)
    except WtwatchError as error:
        return done._replace(waits=error.message, hint=error.hint)
    return done


def _set_up(site: Site, done: Done) -> Done:
    """Have the environment right for what was moved to, and before a batch begins."""
    tree, queue, options, _, facts, _ = site
    wanted = environment.requirements(tree, facts.tip_tree)
    verdict = environment.noted(tree, wanted)
    known_broken = verdict.state is EnvironmentState.BROKEN and not done.moved
    batch = verdict.ready and options.start_jobs and queue.next_job() is not None
    if done.moved or batch:
        verdict = environment.look(tree, wanted, batch, options.stop)
    if not verdict.ready and not (known_broken and not options.hurry):
        verdict = environment.set_up(tree, wanted, verdict, options.stop)
    if verdict.ready:
        return done
    return done._replace(
        waits=f"The environment of the run tree is {verdict.state.value}: {verdict.detail}.",
        hint="Mend it, then `wtwatch sync`.",
    )


def _hold(site: Site, batch: int) -> Done:
    """While a batch is under way its code stays; only say so if somebody took the tree elsewhere."""
    place, code_sha = quoted(site.tree.code_path), site.queue.batch_code(batch)
    if site.facts.written:
        said, hint = sync.written_words(site.tree, site.facts)
        return Done(waits=said, hint=f"{hint} Or cancel batch {batch}.")
    if code_sha is not None and site.facts.head != code_sha:
        return Done(
            waits=f"Batch {batch} runs on {code_sha[:10]}, but somebody took the run tree's code elsewhere.",
            hint=f"git -C {place} checkout --detach {code_sha}, or cancel the batch.",
        )
    if site.facts.edited:
        return Done(
            waits=f"The run tree's code was edited: {', '.join(site.facts.edited[:3])}.",
            hint=f"Undo it there: git -C {place} checkout -- PATH, or cancel batch {batch}.",
        )
    return Done()


def _busy(done: Done, busy: Iterable[Process]) -> Done:
    present = tuple(busy)
    first = present[0]
    return done._replace(
        waits=f"{first.name} (pid {first.pid}) works in the run tree, so nothing moves there.",
        hint=f"It goes on by itself when that ends; `wtwatch sync --ignore-pid {first.pid}` does not wait.",
        busy=present,
    )


def _is_settled(site: Site, pointer: Pointer) -> bool:
    """Return whether pointer and environment are right for the tip, so that nothing has to be changed."""
    if pointer.recorded != site.facts.tip or pointer.cut_off:
        return False
    return environment.noted(site.tree, environment.requirements(site.tree, site.facts.tip_tree)).ready


def _noting(queue: Queue, tip: Sha | None, options: TickOptions) -> Callable[[], None]:
    """Note a tip; return what waits for that: of a new one it may take the disk a while."""
    known = queue.tip()
    if tip is None or (known is not None and known.commit == tip):
        _note_tip(queue, tip, options)
        return lambda: None
    return Beside(lambda: _note_tip(queue, tip, options)).answer


def _note_tip(queue: Queue, tip: Sha | None, options: TickOptions) -> None:
    """Note since when the bookmark is where it is, also while a batch runs."""
    if tip is None:
        return
    queue.note_tip(tip)
    if options.hurry:
        queue.hurry(tip)


def _fire(site: Site, done: Done) -> Done:
    """Make batches of what waited for this move, once the bookmark has been still for long enough."""
    tree, queue, _, _, facts, _ = site
    tip = facts.tip
    if tip is None or not queue.pending(tip):
        return done
    if facts.working_copy:
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
    where = ASIDE
    if project.paths:
        within = (f":(exclude,top){path}/{name}" for path in project.paths for name in ("docs/**", "README*"))
        where = (*(f":(top,literal){path}" for path in project.paths), *ASIDE[1:], *within)
    return not Repo(project.main_code).succeeds("diff", "--quiet", old, new, "--", *where)


def _start_next(site: Site, done: Done) -> Done:
    """run: start the job that is due."""
    job = site.queue.next_job() if site.options.start_jobs else None
    if job is None:
        return _remind(site, done)
    if site.queue.batch_code(job.batch) is None and bookmark.read(site.tree.project).working_copy:
        return _unfinished(site.tree, done)
    busy = others_in(site.tree, site.queue, site.options.ignore)
    if busy:
        return _busy(done, busy)
    started = starting.start(site.tree, site.queue, job, site.lock)
    if isinstance(started, Hindered):
        return done._replace(waits=started.reason, hint=started.hint)
    return done._replace(started=started)


def _remind(site: Site, done: Done) -> Done:
    """Say what the last job left that the next one, which is not queued yet, would have to wait for."""
    left = unsaved.reminder(site.tree, site.queue)
    if left is None:
        return done
    return done._replace(
        waits=f"Job {left.job} left {listed(left.paths)} unsaved, so the next job cannot start.",
        hint=f"Commit, move or delete that in {site.tree.path}.",
    )


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
