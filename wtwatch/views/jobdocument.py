"""The document that `queue list --json` prints, version 1: keys may be added, never removed or retyped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.words.model import Ended, Job, PutBack, Running, Standing, stamp


def log_of(project: Project, job: Job) -> Path:
    """Return where what a job prints goes."""
    return Folder.of(project.state, job.id, job.attempt).log


def of_job(project: Project, job: Job, earlier: Iterable[Job] = ()) -> dict[str, Any]:
    """Return a job; ``earlier`` are its earlier attempts, oldest first."""
    return {
        "id": job.id,
        "project": project.name,
        "batch": job.batch,
        **_attempt(project, job),
        "command": job.spec.command,
        "message": job.spec.message,
        "inputs": list(job.spec.inputs),
        "outputs": list(job.spec.outputs),
        "uses": list(job.spec.uses),
        "values": dict(job.spec.values),
        "plain": job.spec.plain,
        "container": job.spec.container,
        "drop_fetched": job.spec.drop_fetched,
        "cpus": job.spec.cpus,
        "memory_mb": job.spec.mem,
        "time_limit": job.spec.seconds,
        "gpus": job.spec.gpus,
        "rerun_of": job.spec.rerun_of,
        "attempts": [{"batch": one.batch, **_attempt(project, one)} for one in earlier],
    }


def _attempt(project: Project, job: Job) -> dict[str, Any]:
    state = job.state
    started = state.started if isinstance(state, Running | Ended) else None
    ended = state if isinstance(state, Ended) else None
    return {
        "attempt": job.attempt,
        "state": job.word,
        "code": state.code_sha if isinstance(state, Running | Ended) else None,
        "exit": ended.exit if ended else None,
        "commits": list(ended.commits) if ended else [],
        "detail": ended.detail if ended else None,
        "acknowledged": job.acknowledged,
        "queued_at": stamp(job.queued),
        "started_at": _moment(started),
        "ended_at": _moment(ended.ended if ended else None),
        "log": str(log_of(project, job)) if started else None,
        "lane": state.lane if isinstance(state, Running | Ended) else None,
        "put_back": _put_back(job.put_back),
    }


def _put_back(known: PutBack | None) -> dict[str, Any] | None:
    return {"times": known.times, "at": stamp(known.at), "why": known.why} if known else None


def of_standing(template: Standing) -> dict[str, Any]:
    """Return a standing order."""
    return {
        "id": f"s{template.id}",
        "base": template.base,
        "if_stale": template.if_stale,
        "commands": [spec.command for spec in template.specs],
        "queued_at": stamp(template.queued),
    }


def document(
    project: Project, jobs: Sequence[Job], earlier: Mapping[int, Sequence[Job]], standing: Sequence[Standing]
) -> dict[str, Any]:
    """Return jobs and standing orders of a project."""
    return {
        "version": 1,
        "jobs": [of_job(project, job, earlier.get(job.id, ())) for job in jobs],
        "standing": [of_standing(template) | {"project": project.name} for template in standing],
    }


def _moment(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None
