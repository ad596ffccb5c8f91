"""What the user is to be told of by a command of theirs: each cause once, though daemons come and go.

Two kinds: what stands until somebody acts (what `status` exits with 1 for), of which it is noted that it was
told; and what happened once, the end of a job, which is noted as untold together with that end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from wtwatch.doors import refs
from wtwatch.doors.digests import sha256
from wtwatch.doors.processes import identity
from wtwatch.doors.repo import Repo
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import Attempt
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.tree import backups
from wtwatch.tree import tip as bookmark
from wtwatch.views import disk
from wtwatch.views.jobwords import caption, is_bad, outcome
from wtwatch.words.model import Ended, Job, Process, ago, now
from wtwatch.words.quoting import quoted

_WAITS = "waits-"
_BACKUP = "backup-"


class Cause(NamedTuple):
    """One thing to be told: ``key`` is its own and no other's, ``setting`` names the command that tells it.

    ``facts`` are the variables that the command is given.
    """

    key: str
    setting: str
    facts: Mapping[str, str]


class News(NamedTuple):
    """The causes that nobody was told of yet, and what is told with them: keys that stand, ends of jobs.

    ``standing`` is ``None`` where nobody has looked yet for what stands.
    """

    causes: tuple[Cause, ...]
    standing: frozenset[str] | None
    ended: tuple[Attempt, ...]


def of_tick(project: Project, done: Done) -> News:
    """Return what is to be told after a tick. Raises :class:`WtwatchError` or :class:`OSError`."""
    queue = Queue(project.state)
    ended = tuple(queue.untold())
    causes, known = [*_of_jobs(project, queue, ended)], queue.told()
    if not project.on_attention:
        return News(tuple(causes), known, ended)
    hidden = {key for key in known or () if done.busy and key.startswith(_WAITS)}
    found = {cause.key: cause for cause in _standing(project, queue, done)}
    ids = {f"{_BACKUP}{name}": name for name in _backups(project)}
    fresh = [name for key, name in ids.items() if known is not None and key not in known]
    causes += [cause for key, cause in found.items() if key not in (known or ())]
    causes += _of_backups(project, queue, fresh) if fresh else ()
    return News(tuple(causes), frozenset({*hidden, *found, *ids}), ended)


def hangs(project: Project, for_long: str) -> Cause:
    """Return the cause that a project's tick has hung ``for_long``."""
    return _attention(project, "hangs", f"The daemon has hung in what it does there for {for_long}.", None)


def overdue(project: Project, busy: Collection[Process]) -> Process | None:
    """Return who has been at work in the run tree for longer than ``busy_alarm``, if anybody."""
    alarm = (one for one in busy if (now() - one.since).total_seconds() > project.busy_alarm)
    return next(alarm, None)


def is_held_up(project: Project) -> bool:
    """Return whether anything waits for the run tree: a job that is due, results of lanes, or a move."""
    queue = Queue(project.state)
    if queue.next_job() is not None or (queue.living() and queue.in_run_tree() is None):
        return True
    applied = refs.tip_of(Repo(project.main_code), RunTree.of(project).applied_ref)
    return applied is not None and bookmark.read(project).commit not in (None, applied)


def _standing(project: Project, queue: Queue, done: Done) -> Iterator[Cause]:
    """Yield what stands until somebody acts, backups apart."""
    if done.waits is not None and not done.busy:
        yield _said(project, _WAITS, done.waits, done.hint)
    holder = overdue(project, done.busy)
    if holder and (found := identity(holder.pid)):
        said = f"{holder.name} (pid {holder.pid}) has held the run tree for {ago(holder.since, now())}."
        way = f"wtwatch --project {quoted(project.name)} sync --ignore-pid {holder.pid}"
        yield _attention(project, f"busy-{found.pid}.{found.ticks}", said, way)
    if why := queue.pause_reason():
        yield _said(project, "paused-", f"The queue paused: {why}.", "wtwatch queue resume")
    if lost := queue.lost():
        said = f"The queue's file was gone {ago(lost, now())} ago, so the queue began anew."
        yield _attention(project, f"lost-{lost:%Y%m%dT%H%M%S}", said, "wtwatch status")
    if place := disk.full(project):
        yield _said(project, "full-", disk.said(place), disk.hint(place))
    if project.version <= config.VERSION:  # else it is to be expected, and no typing error
        for unknown in config.unknown_settings(project):
            yield _said(project, "setting-", f"{unknown} It is passed over.", "wtwatch config")


def _backups(project: Project) -> list[str]:
    """Return the ids of the backups that there are, without a program."""
    prefix, code = RunTree.of(project).backup_prefix, project.main_code
    if not (code / ".git").exists():
        return []
    return sorted(ref.removeprefix(prefix) for ref in refs.below(Repo(code), prefix))


def _of_backups(project: Project, queue: Queue, fresh: Collection[str]) -> Iterator[Cause]:
    seen = queue.acknowledged_backups()
    for one in backups.listing(RunTree.of(project)):
        if one.id in fresh and one.id not in seen:
            said, way = f"Kept in a backup: {one.summary}.", f"wtwatch backups show {one.id}"
            yield _attention(project, f"{_BACKUP}{one.id}", said, way)


def _of_jobs(project: Project, queue: Queue, ended: Collection[Attempt]) -> Iterator[Cause]:
    over: dict[int, Job] = {}
    for noted in ended:
        job = queue.find(noted.job)
        if job is None or job.attempt != noted.attempt or not isinstance(job.state, Ended):
            continue  # whoever removed or retried it has seen how it ended
        over[job.batch] = job
        if project.on_attention and is_bad(job):
            said = f"Job {job.id} ({caption(job.spec)}) {outcome(job)}."
            number = {"WTWATCH_JOB": str(job.id), "WTWATCH_BATCH": str(job.batch)}
            yield _attention(
                project, f"job-{job.id}.{job.attempt}", said, f"wtwatch queue logs {job.id}", number
            )
    for batch, last in over.items() if project.on_batch_end else ():
        jobs = queue.jobs(batch)
        if all(isinstance(job.state, Ended) for job in jobs):
            facts = {
                "WTWATCH_BATCH": str(batch),
                "WTWATCH_SUCCEEDED": str(sum(job.word in ("succeeded", "unchanged") for job in jobs)),
                "WTWATCH_FAILED": str(sum(map(is_bad, jobs))),
            }
            yield Cause(f"batch-{batch}.{last.id}.{last.attempt}", "on_batch_end", _facts(project) | facts)


def _said(project: Project, kind: str, reason: str, hint: str | None) -> Cause:
    """Return a cause that is another when it says something else."""
    key = sha256(reason.encode("utf-8", "surrogateescape"))[:12]
    return _attention(project, f"{kind}{key}", reason, hint)


def _attention(
    project: Project, key: str, reason: str, hint: str | None, more: Mapping[str, str] | None = None
) -> Cause:
    facts = {"WTWATCH_REASON": reason, "WTWATCH_HINT": hint or "", **(more or {})}
    return Cause(key, "on_attention", _facts(project) | facts)


def _facts(project: Project) -> dict[str, str]:
    return {"WTWATCH_PROJECT": project.name, "WTWATCH_MAIN_TREE": str(project.main_tree)}
