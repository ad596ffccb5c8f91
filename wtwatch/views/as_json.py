"""The document that ``status --json`` prints, version 1: keys may be added, never removed or retyped."""

from datetime import datetime
from typing import Any

from wtwatch.queue.prospects import BatchProgress
from wtwatch.stale.tally import Tally
from wtwatch.views.snapshot import (
    DaemonSnapshot,
    Elsewhere,
    FailedJob,
    Holder,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    RunningJob,
    Snapshot,
)
from wtwatch.words.model import SyncDone, now, stamp

Document = dict[str, Any]
"""What JSON calls an object."""


def document(snapshot: Snapshot, at: datetime | None = None) -> Document:
    """Return the whole document as of ``at`` (default: now); what is unknown is ``null``."""
    return {
        "version": 1,
        "daemon": _daemon(snapshot.daemon),
        "projects": [project_document(one, at or now()) for one in snapshot.projects],
        "broken": [one._asdict() for one in snapshot.broken],
    }


def _daemon(daemon: DaemonSnapshot) -> Document:
    return {
        "running": daemon.running,
        "pid": daemon.pid,
        "since": _moment(daemon.since),
        "mode": daemon.mode,
        "watches": daemon.watches,
        "version": daemon.version,
        "beat": daemon.beat._asdict() if daemon.beat else None,
        "stuck": list(daemon.stuck),
        "stopped": daemon.stopped,
        "why": daemon.why,
        "restarting": daemon.restarting,
    }


def project_document(project: ProjectSnapshot, at: datetime) -> Document:
    """Return what the document says of a project as of ``at``."""
    return {
        "name": project.name,
        "path": str(project.path),
        "run_tree": str(project.run_tree),
        "bookmark": project.bookmark,
        "tip": project.tip,
        "subject": project.subject,
        "applied": project.applied,
        "freshness": project.standpoint.freshness.value,
        "reason": project.standpoint.reason,
        "hint": project.standpoint.hint,
        "edited": project.edited,
        "full_disk": str(project.full) if project.full else None,
        "busy": [_holder(one) for one in project.busy] or None,
        "pointer": {"recorded": project.recorded, "saved": project.saved},
        "carried": list(project.carried),
        "inherited": list(project.inherited),
        "environment": {"state": project.environment.state.value, "detail": project.environment.detail},
        "queue": _queue(project.queue),
        "running": _running(project.running) if project.running else None,
        "beside": [_running(one) for one in project.beside],
        "lanes": {
            "asked": project.lanes,
            "making": list(project.making),
            "held": [one._asdict() for one in project.held_lanes],
        },
        "batch": _batch(project.batch, project.seconds_left(at)) if project.batch else None,
        "failed_jobs": [_failed(one) for one in project.failed],
        "queue_lost": _moment(project.queue.lost),
        "settling": project.queue.settling,
        "outlived": [one._asdict() | {"paths": list(one.paths)} for one in project.outlived],
        "loaded": [one._asdict() | {"at": stamp(one.at)} for one in project.loaded],
        "unseen": project.queue.unseen,
        "results": _results(project.results),
        "stale": project.stale.stale if project.stale else None,
        "stale_results": _stale(project.stale) if project.stale else None,
        "backups": project.backups,
        "backups_unseen": project.backups_unseen,
        "last_sync": _last_sync(project.last_sync) if project.last_sync else None,
        "host": project.host,
        "elsewhere": _elsewhere(project.elsewhere) if project.elsewhere else None,
        "busy_alarm": project.busy_alarm,
        "settings": {"newer": project.newer, "unknown": list(project.unknown)},
    }


def _elsewhere(one: Elsewhere) -> Document:
    return one._asdict() | {"since": _moment(one.since), "renewed": stamp(one.renewed)}


def _holder(holder: Holder) -> Document:
    return holder._asdict() | {"since": stamp(holder.since)}


def _queue(queue: QueueSnapshot) -> Document:
    return {
        "paused": queue.paused,
        "paused_for": queue.paused_for,
        **queue.jobs,
        "standing": queue.standing,
        "touched": queue.touched,
        "current": dict(queue.current),
        "due": [one._asdict() for one in queue.due],
        "on_move": [one._asdict() for one in queue.on_move],
    }


def _batch(batch: BatchProgress, left: float | None) -> Document:
    return {
        "id": batch.id,
        "jobs": batch.jobs,
        "ended": batch.ended,
        "failed": batch.failed,
        "code": batch.code_sha,
        "began_at": _moment(batch.began),
        "seconds_left": None if left is None else round(left),
    }


def _failed(job: FailedJob) -> Document:
    return {
        "id": job.id,
        "batch": job.batch,
        "state": job.state,
        "message": job.what,
        "exit": job.exit,
        "last_line": job.said,
    }


def _running(job: RunningJob) -> Document:
    return {
        "id": job.id,
        "batch": job.batch,
        "command": job.command,
        "message": job.message,
        "started_at": stamp(job.started),
        "code": job.code_sha,
        "pid": job.pid,
        "lane": job.lane,
        "over": job.over,
        "waits": job.waits,
    }


def _results(results: Results) -> Document:
    return {
        "ahead": results.ahead,
        "behind": results.behind,
        "conflict": results.conflict,
        "from_main": results.from_main,
        "subdatasets_from_main": list(results.subdatasets),
        "barred": list(results.barred) if results.barred else None,
        "away": list(results.away),
        "main_elsewhere": results.elsewhere,
    }


def _stale(tally: Tally) -> Document:
    listed = [
        {**one._asdict(), "why": [{"path": path, "how": how} for path, how in one.why]}
        for one in tally.listed
    ]
    return tally._asdict() | {"reasons": [one._asdict() for one in tally.reasons], "listed": listed}


def _last_sync(done: SyncDone) -> Document:
    return {
        "at": stamp(done.at),
        "from": done.old,
        "to": done.new,
        "seconds": round(done.seconds, 3),
        "backup": done.backup,
    }


def _moment(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None
