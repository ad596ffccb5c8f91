"""A tick: how the job that runs does, then, with the run tree to itself, the story from where it stands.

Nothing here reacts to events. A tick reads the truth, compares, and does the next needed things; it is safe
to call at any time and twice, which alone makes restarts, lost events and A→B→A harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from wtwatch import story
from wtwatch.bring import carry, known
from wtwatch.doors.beside import Beside
from wtwatch.doors.files import held
from wtwatch.job import clearing, giving_way, lifecycle, starting, stays
from wtwatch.job.lifecycle import NotBegun
from wtwatch.lanes import ending as lanes
from wtwatch.lanes import meanwhile, notes
from wtwatch.lanes import starting as start_lanes
from wtwatch.lanes.ending import Finished
from wtwatch.lanes.starting import Begun
from wtwatch.lanes.turn import AtOnce, Turn
from wtwatch.project import owner
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.tree import codetree, environment, sync
from wtwatch.tree import tip as bookmark
from wtwatch.tree.codetree import Facts
from wtwatch.words.errors import Busy, Locked, WtwatchError
from wtwatch.words.model import Ended, Job, Process, Running, Sha
from wtwatch.words.tick import Done as Done  # noqa: PLC0414 - part of what a tick offers
from wtwatch.words.tick import TickOptions as TickOptions  # noqa: PLC0414

LOOK = 2.0
"""Seconds until the next look at a job that runs: one that was killed cannot say that it ended."""

BEHIND = 10.0
"""Seconds until the next look at a lane that cannot be cleared up, or removed, as yet."""

STOPPING = 0.5
"""Seconds until the next look at a job that was told to end."""

PATIENCE = 5.0
"""Seconds that a command waits for the daemon's tick, and a tick for the last process of a job that ended."""


def tick(project: Project, options: TickOptions) -> Done:
    """Carry the newest tip from notice to run; return what was done. Raises :class:`WtwatchError`.

    That is :class:`owner.Elsewhere` where another host does so.
    """
    queue = Queue(project.state)
    with owner.acting(project), queue.kept_open():
        return _tick(RunTree.of(project), queue, options)


def _tick(tree: RunTree, queue: Queue, options: TickOptions) -> Done:
    ended = None
    living = queue.living()
    running = next((job for job in living if _lane_of(job) is None), None) or starting.take_up(tree, queue)
    if running is not None:
        over = _look_at(tree, running)
        if over is None:
            return _while_it_runs(tree, queue, running, options)
        ended = _record_end(tree, queue, running, over)
        options = options._replace(patience=max(PATIENCE, options.patience))
    beside = _Beside(tree, queue, options)
    finished, locked = beside.look(), False
    try:
        done = _with_tree(beside.turn, ended, finished)
    except owner.Elsewhere:
        raise
    except WtwatchError as error:
        locked = isinstance(error, Locked)
        begun = meanwhile.start(beside.turn) if locked else Begun()
        if ended is None and not beside.ended and not begun.started:
            raise
        done = Done(waits=error.message, hint=error.hint, busy=_processes(error), beside=begun.started)
    if not (locked or (done.busy and options.after_failure)):  # who has the lock is seen as long as it is so
        story.note_waiting(queue, done)
    return beside.with_lanes(done._replace(ended=ended))


class _Beside:
    """What a tick does with jobs in lanes: who ended is in ``ended``, who waits once more in ``again``."""

    def __init__(self, tree: RunTree, queue: Queue, options: TickOptions) -> None:
        self.turn = Turn(tree, queue, options, options.beside or AtOnce(), self._record, self._again)
        self.ended: list[Job] = []
        self.again: list[tuple[Job, str]] = []

    def look(self) -> list[Finished]:
        """Return the jobs in lanes that ended well; the ends of others are recorded."""
        if not notes.known(self.turn.tree.project):
            return []
        lanes.take_up(self.turn)
        finished = lanes.look(self.turn)
        lanes.free_lanes(self.turn, finished)
        return finished

    def _record(self, job: Job, over: Ended) -> None:
        recorded = _record_end(self.turn.tree, self.turn.queue, job, over)
        self.ended += [recorded] if recorded else []

    def _again(self, job: Job, why: str) -> None:
        self.again.append((job, why))

    def with_lanes(self, done: Done) -> Done:
        """Return what was done with the jobs in lanes in it; they are looked at again, if there are some."""
        done = done._replace(beside=(*self.ended, *done.beside), put_back=tuple(self.again))
        living = self.turn.queue.living()
        if not any(_lane_of(job) for job in living):
            return done
        soon = STOPPING if any(job.cancel_requested for job in living) else LOOK
        return done._replace(again_in=soon if done.again_in is None else min(soon, done.again_in))


def _lane_of(job: Job) -> int | None:
    return job.state.lane if isinstance(job.state, Running) else None


def _while_it_runs(tree: RunTree, queue: Queue, job: Job, options: TickOptions) -> Done:
    """Note where the bookmark is; the batch may give way to that, as :mod:`wtwatch.job.giving_way` says."""
    tip = bookmark.read(tree.project).commit
    _note_tip(queue, tip, options)
    starting.expect(queue, tip)
    gave_way = giving_way.give_way(tree, queue, tip, lambda: codetree.facts_of(tree))
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
    uses = lifecycle.uses_of(tree, job)
    if over.outcome in clearing.GOOD:
        with suppress(WtwatchError):  # how it ended is told, whatever can be read of the rest
            stays.note(tree, queue, job, over)
    is_news = queue.end(job.id, over, settings.max_failures, tell, uses)
    return job._replace(state=over) if is_news else None


def _with_tree(turn: Turn, ended: Job | None, finished: list[Finished]) -> Done:
    """Do what needs the run tree, with its lock held."""
    tree, queue, options = turn.tree, turn.queue, turn.options
    if not tree.path.is_dir():
        raise WtwatchError(
            f"The run tree {tree.path} is gone.",
            "Mount its disk, or make it anew with `wtwatch init` in the main tree.",
        )
    with held(tree.lock, wait=options.patience) as lock, meanwhile.kept_out(tree):
        sync.recover(tree)
        environment.recover(tree)
        carry.recover(tree, lambda: nested.complete(tree.project))
        done = _clear_up(tree, queue)
        waits = lanes.bring_home(turn, finished) if done.waits is None else None
        behind = lanes.clear_up(turn)
        if done.waits is None and waits is None:
            known.note(tree)
            facts = _facts(tree, queue)
            starting.expect(queue, facts.tip)
            noted = _noting(queue, facts.tip, options)
            done = story.tell(story.Site(turn, lock, facts, noted, ended))
        elif waits is not None:
            done = story.with_begun(done, start_lanes.go_on(turn))
    done = _make_at_once(turn, done)
    if waits is not None:
        done = done._replace(waits=waits.reason, hint=waits.hint, busy=waits.busy)
    return done._replace(again_in=BEHIND) if behind and done.again_in is None else done


def _make_at_once(turn: Turn, done: Done) -> Done:
    """Make the lane that the tick found lacking, where nobody does so beside it, and use it."""
    beside, tree = turn.beside, turn.tree
    if not isinstance(beside, AtOnce) or beside.work is None:
        return done
    beside.work(turn.options.stop)
    with suppress(Busy), held(tree.lock, wait=turn.options.patience), meanwhile.kept_out(tree):
        return story.with_begun(done._replace(again_in=None), start_lanes.go_on(turn, begin=True))
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


def _noting(queue: Queue, tip: Sha | None, options: TickOptions) -> Callable[[], None]:
    """Note a tip; return what waits for that: of a new one it may take the disk a while."""
    if tip is None or queue.knows_tip(tip):
        if tip is not None and options.hurry:
            queue.hurry(tip)
        return lambda: None
    return Beside(lambda: _note_tip(queue, tip, options)).answer


def _note_tip(queue: Queue, tip: Sha | None, options: TickOptions) -> None:
    """Note since when the bookmark is where it is, also while a batch runs."""
    if tip is None:
        return
    queue.note_tip(tip)
    if options.hurry:
        queue.hurry(tip)


def explain_error(project: Project, error: WtwatchError) -> None:
    """Leave word for ``status`` of what made a tick fail, apart from what it sees itself.

    That is a tree that is gone, and may be back before the next tick; nor is one that was held a trouble.
    """
    if not isinstance(error, Busy) and codetree.is_present(RunTree.of(project)):
        story.note_waiting(Queue(project.state), Done(waits=error.message, hint=error.hint))
