"""Read-only facts for ``status``, as the JSON document of the contract; nothing is started or written.

The cost does not grow with the number of files: only the code tree, which is small, is compared with git.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from wtwatch.doors.files import holder
from wtwatch.doors.processes import bears, is_alive, serves, session, working_in
from wtwatch.doors.repo import Repo
from wtwatch.home import harvest
from wtwatch.job.attempt import MARK, Folder
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import codetree, environment, save, sync
from wtwatch.tree.codetree import Facts
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import (
    EnvironmentState,
    Freshness,
    Job,
    Process,
    Running,
    Sha,
    counted,
    moment,
    now,
    stamp,
)

Document = dict[str, Any]
"""What ``status --json`` prints, version 1: keys may be added, never removed or given another type."""


def collect(projects: Iterable[Project], broken: Iterable[tuple[str, WtwatchError]] = ()) -> Document:
    """Return the whole document; ``broken`` are names of projects that could not even be loaded, and why.

    A project that cannot be described joins those, so that it does not hide the others.
    """
    described, failed, watch = [], list(broken), daemon()
    for project in projects:
        try:
            described.append(describe(project, watch["pid"]))
        except WtwatchError as error:
            failed.append((project.name, error))
    listed = [{"name": name, "reason": error.message, "hint": error.hint} for name, error in failed]
    return {"version": 1, "daemon": watch, "projects": described, "broken": listed}


def daemon() -> Document:
    """Return whether this host's daemon runs, and what it says of itself."""
    file = config.daemon_file()
    pid = holder(file)
    facts: Document = {"running": pid is not None, "pid": pid, "since": None, "mode": None, "watches": None}
    if pid is not None:
        with suppress(ValueError):  # it is writing just now
            facts |= json.loads(file.read_text(encoding="utf-8"))
    return facts | {"running": pid is not None, "pid": pid}


def describe(project: Project, watch: int | None = None) -> Document:
    """Return one project's part of the document; ``watch`` is the pid of the daemon, if one runs."""
    queue = Queue(project.state)
    facts, recorded, results = Facts(present=False), None, {"ahead": 0, "behind": 0, "conflict": False}
    tree = RunTree.of(project)
    if codetree.is_present(tree):
        busy = working_in(project.run_tree, project.passive)  # before any git of ours works there
        if watch is not None:  # what the daemon does at this moment keeps nobody waiting
            busy = [process for process in busy if not serves(process.pid, watch)]
        main = Repo(project.main_tree)
        with (
            harvest.start_apart(main, "HEAD", project.bookmark_ref) as counting,
            save.start_recorded(tree) as naming,
        ):
            facts = codetree.facts_of(tree)._replace(busy=tuple(busy))
            recorded = save.recorded(tree, naming)
            results = _results(project, *harvest.apart(main, counting))
    with queue.at_one_moment():
        return _in_words(project, queue, facts, recorded, results)


def _in_words(
    project: Project, queue: Queue, facts: Facts, recorded: Sha | None, results: Document
) -> Document:
    job = queue.running()
    started = Folder.of(project.state, job.id, job.attempt).started() if job else None
    leader = started.pid if started else None
    busy = [_process(process, job, leader) for process in facts.busy] + _by_hand(queue)
    return {
        "name": project.name,
        "path": str(project.main_tree),
        "run_tree": str(project.run_tree),
        "bookmark": project.bookmark,
        "tip": facts.tip,
        "subject": facts.subject,
        "applied": facts.applied,
        **_freshness(project, queue, facts),
        "edited": bool(facts.edited),
        "busy": busy or None,
        "pointer": {"recorded": recorded, "saved": recorded is not None and recorded == facts.applied},
        "environment": _environment(project, facts),
        "queue": queue.counts() | {"standing": sum(len(template.specs) for template in queue.standing())},
        "running": _running(job, leader),
        "queue_lost": stamp(lost) if (lost := queue.lost()) else None,
        "settling": _settling(project, queue, facts),
        "unseen": queue.unseen(),
        "results": results,
        "stale": None,
        "backups": len(facts.backups),
        "backups_unseen": len(facts.backups - queue.acknowledged_backups()),
        "last_sync": _last_sync(queue),
        "host": project.host,
        "busy_alarm": project.busy_alarm,
        "settings": {
            "newer": project.version > config.VERSION,
            "unknown": config.unknown_settings(project),
        },
    }


def _by_hand(queue: Queue) -> list[Document]:
    """Return the command that `wtwatch exec` runs just now, if any."""
    noted = queue.executes()
    if noted is None or not is_alive(noted.process):
        return []
    return [{"pid": noted.process.pid, "name": noted.name, "since": stamp(noted.since), "job": None}]


def _freshness(project: Project, queue: Queue, facts: Facts) -> Document:
    if not facts.present:
        return {
            "freshness": Freshness.MISSING.value,
            "reason": f"{project.run_tree} is gone",
            "hint": "Mount its disk, or make it anew: `wtwatch init` in the main tree.",
        }
    plan = sync.next_step(RunTree.of(project), facts)
    if isinstance(plan, sync.Blocked):
        return {"freshness": Freshness.BLOCKED.value, "reason": plan.reason, "hint": plan.hint}
    word = sync.freshness(plan)
    reason: str | None = None
    hint: str | None = None
    noted = queue.waits()
    if noted is not None and not (noted.busy and not facts.busy):
        reason, hint = noted.reason, noted.hint
        if not noted.busy:
            word = Freshness.BLOCKED
    elif word is Freshness.BEHIND and queue.under_way() is not None:
        reason = f"batch {queue.under_way()} keeps its code until it ends"
    return {"freshness": word.value, "reason": reason, "hint": hint}


def _settling(project: Project, queue: Queue, facts: Facts) -> float | None:
    """Return for how many seconds more the bookmark has to be still until waiting batches start."""
    noted = queue.tip()
    if not (facts.tip and noted and noted.commit == facts.tip and not queue.hurries(facts.tip)):
        return None
    if not queue.pending(facts.tip):
        return None
    left = project.settle - queue.still(facts.tip)
    return round(left, 1) if left > 0 else None


def _results(project: Project, ahead: int, behind: int) -> Document:
    conflict = False
    if ahead and behind:
        from wtwatch.home import merge

        conflict = bool(merge.conflicts(project))
    return {"ahead": ahead, "behind": behind, "conflict": conflict}


def _environment(project: Project, facts: Facts) -> Document:
    if not facts.present:
        return {"state": EnvironmentState.MISSING.value, "detail": None}
    entries = facts.tip_tree if facts.tip == facts.applied else _tree_at(project, facts)
    verdict = environment.noted(RunTree.of(project), environment.requirements(entries))
    return {"state": verdict.state.value, "detail": verdict.detail}


def _tree_at(project: Project, facts: Facts) -> tuple[Any, ...]:
    if facts.applied is None:
        return ()
    return tuple(Repo(project.main_code).tree(facts.applied).values())


def _process(process: Process, running: Job | None, leader: int | None) -> Document:
    """Return a process that works in the run tree, and of which job it is, if of any."""
    return {
        "pid": process.pid,
        "name": process.name,
        "since": stamp(process.since),
        "job": running.id if running and _is_of(process, running, leader) else None,
    }


def _is_of(process: Process, job: Job, leader: int | None) -> bool:
    """Return whether a process is of a job: by its session, or by its environment if it left that."""
    if leader is not None and session(process.pid) == leader:
        return True
    return isinstance(job.state, Running) and bears(process.pid, MARK, job.state.uuid)


def _running(job: Job | None, leader: int | None) -> Document | None:
    if job is None or not isinstance(job.state, Running):
        return None
    return {
        "id": job.id,
        "batch": job.batch,
        "command": job.spec.command,
        "message": job.spec.message,
        "started_at": stamp(job.state.started),
        "code": job.state.code,
        "pid": leader,
    }


def _last_sync(queue: Queue) -> Document | None:
    done = queue.last_sync()
    if done is None:
        return None
    seconds = round(done.seconds, 3)
    return {"at": stamp(done.at), "from": done.old, "to": done.new, "seconds": seconds, "backup": done.backup}


def attention(document: Document, service_installed: bool) -> list[str]:
    """Return why somebody has to look, as sentences; nothing means exit code 0."""
    reasons = [
        f"{broken['name']}: {broken['reason']}" + (f" → {broken['hint']}" if broken["hint"] else "")
        for broken in document["broken"]
    ]
    for project in document["projects"]:
        name = project["name"]
        if not project["settings"]["newer"]:  # else it is to be expected, and no typing error
            reasons += [f"{name}: {unknown} It is passed over." for unknown in project["settings"]["unknown"]]
        if project["freshness"] in (Freshness.BLOCKED.value, Freshness.MISSING.value):
            reasons.append(f"{name} is {project['freshness']}.")
        if project["queue_lost"]:
            reasons.append(f"{name}: {_lost(project)}")
        if project["unseen"]:
            reasons.append(f"{name}: {counted(project['unseen'], 'failed job')} (seen? `wtwatch ack --all`).")
        if project["backups_unseen"]:
            new = counted(project["backups_unseen"], "new backup")
            reasons.append(f"{name}: {new} (`wtwatch backups list`, `wtwatch ack --all`).")
        alarm = [one for one in project["busy"] or [] if _age(one["since"]) > project["busy_alarm"]]
        if alarm and project["freshness"] == Freshness.BEHIND.value:
            one = alarm[0]
            held = f"has held the run tree for {since(one['since'])}"
            reasons.append(f"{name}: {one['name']} (pid {one['pid']}) {held}.")
        if project["queue"]["waiting"] and not document["daemon"]["running"]:
            waiting = counted(project["queue"]["waiting"], "waiting job")
            reasons.append(f"{name}: {waiting}, but no daemon runs.")
    if service_installed and not document["daemon"]["running"]:
        reasons.append("The service is installed, but the daemon is down (`wtwatch service status`).")
    return reasons


def _lost(project: Document) -> str:
    return (
        f"The queue's file was gone {since(project['queue_lost'])} ago, so the queue began anew. Results are "
        "safe in git; what had waited has to be queued again (seen? `wtwatch ack --all`)."
    )


def _age(text: str) -> float:
    return (now() - moment(text)).total_seconds()


def since(text: str, at: datetime | None = None) -> str:
    """Return how long ago a moment was, for people: "8 s", "4 min", "3 h", "2 days"."""
    seconds = int(((at or datetime.now(UTC)) - moment(text)).total_seconds())
    for size, word in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{max(seconds, 0)} s"
