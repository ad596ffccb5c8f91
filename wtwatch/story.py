"""The story in one place: notice → sync → save → run.

A step takes how things stand and what was done so far, does what is needed next, and says what it waits for;
the first that has to wait ends the story until the next tick.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from wtwatch.bring import carry, due, known, released, steps
from wtwatch.doors.repo import Repo
from wtwatch.job import giving_way, starting, unsaved
from wtwatch.job.others import others_in
from wtwatch.job.readiness import listed
from wtwatch.job.starting import Hindered
from wtwatch.lanes import starting as lanes
from wtwatch.lanes.starting import Begun
from wtwatch.lanes.turn import Turn
from wtwatch.project.tree import RunTree
from wtwatch.queue import batchfiles
from wtwatch.queue.batches import Anew
from wtwatch.queue.facts import Brought, Waits
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.stale import touched, turn
from wtwatch.stale.standing import at_a_move
from wtwatch.tree import carried, environment, save, sync
from wtwatch.tree import tip as bookmark
from wtwatch.tree.codetree import Facts
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.tree.save import Pointer
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import (
    Backup,
    Ended,
    EnvironmentState,
    Job,
    Outcome,
    Process,
    Sha,
    Standing,
    SyncDone,
    now,
)
from wtwatch.words.quoting import quoted
from wtwatch.words.tick import Done, TickOptions


class Site(NamedTuple):
    """What the steps of a tick are about: a run tree whose lock is held, the queue, how code stands.

    The first two are those of the ``turn``. ``noted`` waits until the queue knows of the tip. ``ended`` is
    the job that this tick found to have ended.
    """

    turn: Turn
    lock: int
    facts: Facts
    noted: Callable[[], None]
    ended: Job | None = None

    @property
    def tree(self) -> RunTree:
        """The run tree."""
        return self.turn.tree

    @property
    def queue(self) -> Queue:
        """Its queue."""
        return self.turn.queue

    @property
    def options(self) -> TickOptions:
        """How the tick is to be done."""
        return self.turn.options


def tell(site: Site) -> Done:
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
        gave_way = giving_way.give_way(site.tree, site.queue, facts.tip, lambda: facts)
        done = done._replace(gave_way=gave_way)
        if gave_way is None or site.queue.living():  # what runs in lanes is laid upon the code that it ran on
            return _hold(site, batch)._replace(gave_way=gave_way)
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
        note_waiting(site.queue, Done())
    return done


def _bring(site: Site, done: Done) -> Done:
    """Bring what main has and the run tree lacks, with each move, or now if that was asked for.

    What bars it is noted for `status`, and holds nothing else up: code is where it is to be.
    """
    tree, queue, tip = site.tree, site.queue, site.facts.tip
    if tip is None or not (site.options.from_main or due.is_due(tree, queue, tip)):
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
    """Have the environment right for what was moved to."""
    tree, options = site.tree, site.options
    wanted = environment.requirements(tree, site.facts.tip_tree)
    verdict = environment.noted(tree, wanted)
    known_broken = verdict.state is EnvironmentState.BROKEN and not done.moved
    if done.moved:
        verdict = environment.look(tree, wanted, stop=options.stop)
    if not verdict.ready and not (known_broken and not options.hurry):
        verdict = environment.set_up(tree, wanted, verdict, options.stop)
    hindered = _unready(verdict)
    return done if hindered is None else done._replace(waits=hindered.reason, hint=hindered.hint)


def _check_for_batch(site: Site) -> Hindered | bool:
    """Look closely at the environment, and have it right, before the first job of a batch starts.

    Return whether nothing had to be done for that; see :func:`wtwatch.job.starting.start`.
    """
    tree, options = site.tree, site.options
    wanted = environment.requirements(tree, site.facts.tip_tree)
    verdict = environment.look(tree, wanted, batch=True, stop=options.stop)
    if verdict.ready:
        return True
    return _unready(environment.set_up(tree, wanted, verdict, options.stop)) or False


def _unready(verdict: environment.Verdict) -> Hindered | None:
    if verdict.ready:
        return None
    reason = f"The environment of the run tree is {verdict.state.value}: {verdict.detail}."
    return Hindered(reason, "Mend it, then `wtwatch sync`.")


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


def _fire(site: Site, done: Done) -> Done:
    """Make batches of what waited for this move, once the bookmark has been still for long enough."""
    tree, queue, facts = site.tree, site.queue, site.facts
    tip = facts.tip
    if tip is None or not queue.pending(tip):
        return done
    if facts.working_copy:
        return _unfinished(tree, done)
    if not queue.is_settled(tip, tree.project.settle):
        return done._replace(again_in=max(tree.project.settle - queue.still(tip), 0.0))
    project = tree.project
    fired = queue.fire(
        tip,
        lambda old, new: concerns_jobs(project, old, new),
        lambda standing: _anew(tree, standing, tip),
    )
    return done._replace(fired=tuple(fired))


def _anew(tree: RunTree, standing: Standing, tip: Sha) -> Anew | None:
    """Return what standing jobs are now, and which of them the move touches, if that matters."""
    if (stale := at_a_move(tree, tip, standing)) is not None:
        return stale
    seen = batchfiles.look(standing, tree.project)
    if seen is None or not any(spec.if_stale for spec in seen.specs):
        return seen
    return seen._replace(**touched.touched(tree, seen.specs, tip)._asdict())


def _unfinished(tree: RunTree, done: Done) -> Done:
    return done._replace(
        waits=f"No batch starts: the bookmark {tree.project.bookmark} is on jj's working-copy commit, "
        "which each edit rewrites.",
        hint=f"Finish that commit: jj commit   (in {tree.project.main_code})",
    )


def _start_next(site: Site, done: Done) -> Done:
    """run: start the job that is due."""
    if site.tree.project.in_lanes and site.options.start_jobs:
        return _start_in_lanes(site, done)
    job = site.queue.next_job() if site.options.start_jobs else None
    if job is None:
        return _remind(site, done)
    if site.queue.batch_code(job.batch) is None and bookmark.read(site.tree.project).working_copy:
        return _unfinished(site.tree, done)
    busy = others_in(site.tree, site.queue, site.options.ignore)
    if busy:
        return _busy(done, busy)
    code_sha = starting.code_of(site.tree)
    if code_sha and (spared := turn.spared(site.tree, site.queue, job, code_sha)):
        return done._replace(beside=(*done.beside, spared), again_in=0.0)
    return _start(site, done, job)


def _start(site: Site, done: Done, job: Job) -> Done:
    trouble = nested.follow(site.tree.project)
    begins = site.queue.batch_code(job.batch) is None
    check = partial(_check_for_batch, site) if begins else starting.as_it_is
    look = None if _goes_on(site.ended, job) else check
    started = starting.start(site.tree, site.queue, job, site.lock, look)
    if isinstance(started, Hindered):
        return done._replace(waits=started.reason, hint="\n".join([*trouble, started.hint]))
    return done._replace(started=started)


def _start_in_lanes(site: Site, done: Done) -> Done:
    """run, with lanes: start all jobs of the batch for which there is one, and that do not meet."""
    queue, batch = site.queue, site.queue.next_batch()
    code_sha = starting.code_of(site.tree) if batch is not None else None  # the facts are of before a move
    if batch is None or code_sha is None:
        return _remind(site, done)
    if queue.batch_code(batch) is None and bookmark.read(site.tree.project).working_copy:
        return _unfinished(site.tree, done)
    trouble = nested.follow(site.tree.project)
    return with_begun(done, lanes.start(site.turn, code_sha), trouble)


def with_begun(done: Done, begun: Begun, trouble: Sequence[str] = ()) -> Done:
    """Return what was done with what was begun in lanes; ``trouble`` is said beside what that waits for."""
    moments = [moment for moment in (done.again_in, begun.again_in) if moment is not None]
    done = done._replace(beside=(*done.beside, *begun.started), again_in=min(moments, default=None))
    if begun.waits is None:
        return done._replace(waits=None, hint=None, busy=())
    hint = "\n".join([*trouble, begun.waits.hint])
    return done._replace(waits=begun.waits.reason, hint=hint, busy=begun.busy)


def _goes_on(before: Job | None, job: Job) -> bool:
    """Return whether a job follows directly on one of its batch that left the tree as a job has to."""
    if before is None or before.batch != job.batch or not isinstance(before.state, Ended):
        return False
    return before.state.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED)


def _remind(site: Site, done: Done) -> Done:
    """Say what the last job left that the next one, which is not queued yet, would have to wait for."""
    left = unsaved.reminder(site.tree, site.queue)
    if left is None:
        return done
    return done._replace(
        waits=f"Job {left.job} left {listed(left.paths)} unsaved, so the next job cannot start.",
        hint=f"Commit, move or delete that in {site.tree.path}.",
    )


def note_waiting(queue: Queue, done: Done) -> None:
    """Leave word for ``status`` of what the tick waits for."""
    waits = None if done.waits is None else Waits(done.waits, done.hint, bool(done.busy), now())
    queue.note_waits(waits)
