"""Collect where things stand, for people and programs; nothing is started or written.

The cost does not grow with the number of files: only the code tree, which is small, is compared with git.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from wtwatch.bring import known, steps
from wtwatch.doors import refs
from wtwatch.doors.processes import serves
from wtwatch.doors.repo import Repo
from wtwatch.home import harvest
from wtwatch.job import elsewhere
from wtwatch.job.attempt import MARK, Folder
from wtwatch.lanes import notes
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue import inherited
from wtwatch.queue.changed import files_of, has_changed
from wtwatch.queue.jobs import Queue
from wtwatch.queue.prospects import Outlook
from wtwatch.stale import tallyfile
from wtwatch.stale.tally import Tally
from wtwatch.tree import carried, codetree, environment, nested, save, sync, untouched
from wtwatch.tree.busy import working_in
from wtwatch.tree.codetree import Facts
from wtwatch.views.holders import AtWork, holders
from wtwatch.views.jobwords import caption, one_line
from wtwatch.views.logtext import last_line
from wtwatch.views.snapshot import (
    Elsewhere,
    FailedJob,
    HeldLane,
    LoadedFile,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    RunningJob,
    Standpoint,
)
from wtwatch.views.watch import daemon as daemon  # noqa: PLC0414 - others ask for it here
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import (
    Ended,
    EnvironmentState,
    Freshness,
    Job,
    Outlived,
    Process,
    Running,
    Sha,
    Verdict,
    moment,
)


class Seen(NamedTuple):
    """A project as it was seen, who was known to work there, and whether anything kept it from going on."""

    project: ProjectSnapshot
    noted: AtWork
    waits: bool


def describe(project: Project, watch: int | None = None) -> ProjectSnapshot:
    """Return where one project stands; ``watch`` is the pid of the daemon, if one runs."""
    return see(project, watch).project


def see(
    project: Project,
    watch: int | None = None,
    files: untouched.Left | None = None,
    busy: tuple[Process, ...] | None = None,
) -> Seen:
    """Look at a project; see :func:`describe`. ``files`` are those of its code, if just looked at.

    ``busy``: who works there; else all processes are looked at.
    """
    tree, main = RunTree.of(project), Repo(project.main_tree)
    looks = busy is None
    busy = _foreign(project, watch) if busy is None else busy  # before any git of ours works there
    lost = known.lost(tree)
    had = lost.commit if lost else refs.tip_of(main, project.branch_ref)
    with (
        harvest.apart_asked(main, refs.head_of(main), had) as counting,
        save.asked_recorded(tree) as naming,
    ):
        facts = codetree.facts_to_show(tree, files)
        facts, recorded = facts._replace(busy=busy), naming()
        results = _results(project, counting(), lost.commit if lost else None)
    queue = Queue(project.state)
    with queue.at_one_moment():
        noted = _at_work(tree, queue)
        shown = _snapshot(project, queue, facts, recorded, results)
        shown = shown._replace(inherited=inherited.names(project, queue, watch))
        if lost and shown.standpoint.freshness is not Freshness.MISSING:
            shown = shown._replace(standpoint=Standpoint(Freshness.BLOCKED, lost.reason, lost.hint))
        shown = shown._replace(busy=holders(noted, busy, watch, looks))
        return Seen(shown, noted, queue.waits() is not None)


def _foreign(project: Project, watch: int | None) -> tuple[Process, ...]:
    """Return who works in the run tree; what the daemon does at this moment keeps nobody waiting."""
    tree = RunTree.of(project)
    if not codetree.is_present(tree):
        return ()
    found = working_in(tree)
    return tuple(process for process in found if watch is None or not serves(process.pid, watch))


def _snapshot(
    project: Project,
    queue: Queue,
    facts: Facts,
    recorded: Sha | None,
    results: Results,
) -> ProjectSnapshot:
    living, outlook = queue.living(), queue.outlook(results.oldest)
    if results.from_main or results.subdatasets:
        noted = queue.brought()
        results = results._replace(barred=noted.barred if noted else None)
    running = tuple(_running(project, job, job.state) for job in living if isinstance(job.state, Running))
    return ProjectSnapshot(
        name=project.name,
        path=project.main_tree,
        run_tree=project.run_tree,
        bookmark=project.bookmark,
        standpoint=_standpoint(project, queue, facts),
        environment=_environment(project, queue, facts),
        carried=carried.noted(RunTree.of(project)).said if project.carry else (),
        queue=_queue(project, queue, facts, outlook),
        tip=facts.tip,
        missing=facts.tip_missing,
        subject=facts.subject,
        applied=facts.applied,
        edited=bool(facts.edited),
        recorded=recorded,
        running=running[0] if running else None,
        batch=outlook.progress,
        failed=tuple(_failures(project, outlook)),
        results=results,
        stale=_stale(project, facts),
        backups=len(facts.backups),
        backups_unseen=len(facts.backups - queue.acknowledged_backups()),
        last_sync=queue.last_sync(),
        host=project.host,
        busy_alarm=project.busy_alarm,
        newer=project.version > config.VERSION,
        unknown=tuple(config.unknown_settings(project)),
        beside=tuple(one for one in running if one.lane is not None),
        lanes=project.lanes,
        held_lanes=tuple(_held_lanes(project)),
        making=tuple(lane.lane for lane in notes.known(project) if lane.lane and notes.maker(lane)),
        loaded=tuple(_loaded(project, queue)),
        outlived=tuple(_outlived(project, queue)),
        elsewhere=_acted_on(project),
    )


def _acted_on(project: Project) -> Elsewhere | None:
    """Return which other host acts on a project, as far as this one's clock tells."""
    if not project.executor:
        return None
    from wtwatch.project import owner  # a status where jobs run on this host does without

    seen = owner.other(project)
    if seen is None:
        return None
    since = None
    with suppress(ValueError, TypeError):
        since = moment(seen.holder.since) if seen.holder else None
    renewed = datetime.fromtimestamp(seen.renewed / 1e9, UTC)
    return Elsewhere(seen.holder.host if seen.holder else None, since, renewed, seen.is_free())


def _stale(project: Project, facts: Facts) -> Tally | None:
    """Return how results stand, if they were looked at as they are now."""
    tree = RunTree.of(project)
    head = refs.head_of(Repo(tree.path)) if facts.present and facts.tip == facts.applied else None
    return tallyfile.read(tree, facts.tip, head) if facts.tip and head else None


def _loaded(project: Project, queue: Queue) -> Iterator[LoadedFile]:
    """Yield the files of which jobs wait or stand, and whether they changed since."""
    for one in queue.loaded():
        gone = not files_of(one, project)[0].exists()
        yield LoadedFile(one.path, one.name, one.at, has_changed(one, project), gone, one.said)


def _outlived(project: Project, queue: Queue) -> Iterator[Outlived]:
    """Yield what jobs make no more, as far as it is there by now and its job is known."""
    for one in queue.outlived():
        there = tuple(path for path in one.paths if os.path.lexists(project.run_tree / path))
        if there and queue.find(one.job) is not None:
            yield one._replace(paths=there, number=one.number - len(one.paths) + len(there))


def _at_work(tree: RunTree, queue: Queue) -> AtWork:
    """Return what is noted of who works in the run tree."""
    job = queue.in_run_tree()
    if job is not None and isinstance(job.state, Running):
        started = Folder.of(tree.project.state, job.id, job.attempt).started()
        return AtWork(tree.lock, job.id, started.pid if started else None, (MARK, job.state.uuid))
    noted = queue.executes()
    return AtWork(tree.lock, None, None, None, *noted[:3]) if noted else AtWork(tree.lock)


def _standpoint(project: Project, queue: Queue, facts: Facts) -> Standpoint:
    if not facts.present:
        return Standpoint(
            Freshness.MISSING,
            f"{project.run_tree} is gone",
            "Mount its disk, or make it anew: `wtwatch init` in the main tree.",
        )
    plan = sync.next_step(RunTree.of(project), facts)
    if isinstance(plan, sync.Blocked):
        return Standpoint(Freshness.BLOCKED, plan.reason, plan.hint)
    word, noted = sync.freshness(plan), queue.waits()
    if noted is not None and not (noted.busy and not facts.busy):
        return Standpoint(word if noted.busy else Freshness.BLOCKED, noted.reason, noted.hint)
    if word is Freshness.BEHIND and (batch := queue.under_way()) is not None:
        newer = "What is left of it on the newer code: wtwatch release --after job"
        return Standpoint(
            word, _keeps(project, queue, batch, facts), newer if queue.open_work().paused else None
        )
    return Standpoint(word)


def _keeps(project: Project, queue: Queue, batch: int, facts: Facts) -> str:
    """Return for how long a batch keeps its code though the bookmark moved."""
    stays = project.on_move == "after-batch" or (facts.tip and queue.awaits_end(facts.tip))
    if stays or not queue.waiting().get(batch):
        return f"batch {batch} keeps its code until it ends"
    return f"batch {batch} gives way to what concerns its jobs (on_move is {project.on_move})"


def _queue(project: Project, queue: Queue, facts: Facts, outlook: Outlook) -> QueueSnapshot:
    counts, standing = queue.counts(), queue.standing()
    return QueueSnapshot(
        paused=bool(counts.pop("paused")),
        jobs=counts,
        standing=sum(len(template.specs) for template in standing),
        touched=sum(len(template.specs) for template in standing if template.if_stale),
        unseen=queue.unseen(),
        lost=queue.lost(),
        settling=_settling(project, queue, facts),
        current=outlook.counts,
        due=outlook.due,
        on_move=outlook.on_move,
        paused_for=queue.pause_reason(),
    )


def _settling(project: Project, queue: Queue, facts: Facts) -> float | None:
    """Return for how many seconds more the bookmark has to be still until waiting batches start."""
    noted = queue.tip()
    if not (facts.tip and noted and noted.commit == facts.tip and not queue.hurries(facts.tip)):
        return None
    if not queue.pending(facts.tip):
        return None
    left = project.settle - queue.still(facts.tip)
    return round(left, 1) if left > 0 else None


def _results(project: Project, apart: harvest.Apart, lost: Sha | None) -> Results:
    """Return what is to go home and to come from main; ``lost`` is what the run branch had and lacks."""
    ahead, behind, oldest = apart
    conflict = False
    if ahead and (behind or lost):
        from wtwatch.home import merge

        found = merge.foreseen(project, lost)
        conflict, ahead = bool(found.conflicts), 0 if found.nothing else ahead
    lacking = steps.lacking(RunTree.of(project)) if behind else steps.Lacking()
    return Results(
        ahead,
        behind,
        conflict,
        oldest=datetime.fromtimestamp(oldest, UTC) if ahead and oldest is not None else None,
        from_main=lacking.files,
        subdatasets=lacking.subdatasets,
        asked=project.from_main == "ask",
        away=() if ahead else _away(project),
        elsewhere=steps.away(project).away if project.main_branch else None,
    )


def _away(project: Project) -> tuple[str, ...]:
    """Return the subdatasets of the main tree whose repository is not in it yet."""
    found = nested.away(project)
    if not found:
        return ()
    listing = Repo(project.main_tree).tree("HEAD", *found)
    above = [path for path in found if path in listing]
    return tuple(path for path in found if path in above or any(path.startswith(f"{one}/") for one in above))


def _failures(project: Project, outlook: Outlook) -> Iterator[FailedJob]:
    for job in outlook.failed:
        if isinstance(job.state, Ended):
            attempt = Folder.of(project.state, job.id, job.attempt)
            it_failed = job.state.exit and not attempt.was_refused()  # else it is not the command that failed
            printed = last_line(attempt.log) if it_failed else None
            said = printed or (one_line(job.state.detail) if job.state.detail else None)
            yield FailedJob(job.id, job.batch, job.word, caption(job.spec), job.state.exit, said)


def _environment(project: Project, queue: Queue, facts: Facts) -> Verdict:
    if not facts.present:
        return Verdict(EnvironmentState.MISSING)
    tree = RunTree.of(project)
    if queue.in_run_tree() is not None:
        return environment.remembered(tree)
    entries = facts.tip_tree if facts.tip == facts.applied else codetree.tops(tree, facts.applied)
    return environment.noted(tree, environment.requirements(tree, entries))


def _running(project: Project, job: Job, state: Running) -> RunningJob:
    folder, spec = Folder.of(project.state, job.id, job.attempt), job.spec
    started, over = folder.started(), state.lane is not None and ended_well(project, job)
    return RunningJob(
        job.id,
        job.batch,
        spec.command,
        spec.message,
        state.started,
        state.code_sha,
        started.pid if started else None,
        state.lane,
        over,
        None if over else elsewhere.waits(folder),
    )


def ended_well(project: Project, job: Job) -> bool:
    """Return whether an attempt of which the queue does not know the end yet had a good one."""
    with suppress(WtwatchError):
        found = Folder.of(project.state, job.id, job.attempt).result()
        return found is not None and found.began and not (found.exit or found.error or found.stopped)
    return False


def _held_lanes(project: Project) -> Iterator[HeldLane]:
    for lane in notes.known(project):
        found, number = notes.held(lane), lane.lane
        if found is not None and number is not None:
            reason = found.reason.removeprefix(f"Lane {number} cannot be used. ")
            yield HeldLane(number, reason, found.hint)
