"""Why somebody has to look: what makes `status` exit with 1. Decided from a snapshot alone."""

from collections.abc import Iterator
from datetime import datetime

from wtwatch import __version__
from wtwatch.views import disk
from wtwatch.views.glance import SILENT as SILENT  # noqa: PLC0414 - one bound for both
from wtwatch.views.snapshot import DaemonSnapshot, ProjectSnapshot, Snapshot
from wtwatch.words.model import Freshness, ago, counted, lasting


def reasons(snapshot: Snapshot, at: datetime) -> list[str]:
    """Return why somebody has to look at the moment ``at``, as sentences; nothing means exit code 0."""
    found = [
        f"{broken.name}: {broken.reason}" + (f" → {broken.hint}" if broken.hint else "")
        for broken in snapshot.broken
    ]
    for project in snapshot.projects:
        found += (f"{project.name}{said}" for said in _of_project(project, snapshot.daemon, at))
    return [*found, *_of_daemon(snapshot.daemon)]


def _of_project(project: ProjectSnapshot, daemon: DaemonSnapshot, at: datetime) -> Iterator[str]:
    """Yield sentences that begin with the project's name, without it."""
    queue, freshness = project.queue, project.standpoint.freshness
    if not project.newer:  # else it is to be expected, and no typing error
        yield from (f": {unknown} It is passed over." for unknown in project.unknown)
    if freshness in (Freshness.BLOCKED, Freshness.MISSING):
        yield f" is {freshness.value}."
    if project.full:
        yield f": {disk.said(project.full)} {disk.hint(project.full)}"
    if queue.lost:
        yield (
            f": The queue's file was gone {ago(queue.lost, at)} ago, so the queue began anew. Results are "
            "safe in git; what had waited has to be queued again (seen? `wtwatch ack --all`)."
        )
    if queue.unseen:
        yield f": {counted(queue.unseen, 'failed job')} (seen? `wtwatch ack --all`)."
    if project.backups_unseen:
        new = counted(project.backups_unseen, "new backup")
        yield f": {new} (`wtwatch backups list`, `wtwatch ack --all`)."
    alarm = [one for one in project.busy if (at - one.since).total_seconds() > project.busy_alarm]
    if alarm and (freshness is Freshness.BEHIND or _has_jobs_to_start(project)):
        one = alarm[0]
        yield f": {one.name} (pid {one.pid}) has held the run tree for {ago(one.since, at)}."
    by_other = project.elsewhere is not None and not project.elsewhere.gone
    if queue.jobs.get("waiting") and not (daemon.running or by_other):
        yield f": {counted(queue.jobs['waiting'], 'waiting job')}, but no daemon runs."
    if project.name in daemon.stuck:
        yield f": the daemon hangs in what it does there (the log says in what; `kill {daemon.pid}` ends it)."


def _has_jobs_to_start(project: ProjectSnapshot) -> bool:
    """Return whether a job would start or a lane's result come, if the run tree were nobody else's."""
    due = project.queue.due or project.batch
    has_it = project.running is not None and project.running.lane is None
    return bool(due) and not has_it and not project.queue.paused


def _of_daemon(daemon: DaemonSnapshot) -> Iterator[str]:
    if daemon.installed and not daemon.running and not daemon.restarting:
        yield "The service is installed, but the daemon is down (`wtwatch service status`)."
    if daemon.running and daemon.stopped:
        yield f"The daemon (pid {daemon.pid}) was stopped, as by Ctrl-Z: `kill -CONT {daemon.pid}`."
    elif is_silent(daemon):
        yield (
            f"The daemon (pid {daemon.pid}) has given no sign of life for {lasting(daemon.silent or 0)}. "
            f"If it was stopped, `kill -CONT {daemon.pid}` lets it go on."
        )
    if is_of_another_version(daemon):
        yield (
            f"The daemon (pid {daemon.pid}) is of version {daemon.version}, and {__version__} is installed: "
            + ("`wtwatch service install` restarts it." if daemon.installed else "end it and start it anew.")
        )


def is_silent(daemon: DaemonSnapshot) -> bool:
    """Return whether a daemon is there and does nothing, such as one that was stopped by Ctrl-Z."""
    return daemon.running and (daemon.stopped or (daemon.silent is not None and daemon.silent > SILENT))


def is_of_another_version(daemon: DaemonSnapshot) -> bool:
    """Return whether a daemon runs that is of another version than this one is, as far as it says."""
    return daemon.running and daemon.version not in (None, __version__)
