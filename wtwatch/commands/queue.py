"""``wtwatch queue``: queue jobs, and look after them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from wtwatch import dataset, queueing, run, status
from wtwatch.attempt import Folder
from wtwatch.commands.front import one, project_option, ring_for, say
from wtwatch.config import Project
from wtwatch.errors import UsageError, WtwatchError
from wtwatch.jobs import Queue
from wtwatch.model import Ended, Job, JobSpec, Outcome, Running, Sha, Standing, Trigger, stamp
from wtwatch.repo import Repo

_POLL = 0.2
"""Seconds between two looks of commands that wait."""

_STYLES = {
    "succeeded": "green",
    "unchanged": "green",
    "failed": "red",
    "interrupted": "red",
    "running": "cyan",
}


@click.group("queue")
def command() -> None:
    """Queue jobs for the run tree, and look after them."""


def _triggers(function: Any) -> Any:
    for flag, text in (
        (Trigger.EVERY_MOVE, "a new batch at every move"),
        (Trigger.ON_MOVE, "once, after the next move of the bookmark"),
        (Trigger.NOW, "next in line (default)"),
    ):
        name = f"--{flag.value}"
        function = click.option(name, "trigger", flag_value=flag.value, default=None, help=text)(function)
    return function


@command.command("add", context_settings={"ignore_unknown_options": False})
@_triggers
@click.option("-m", "--message", metavar="MSG", help="the message of the result commit")
@click.option("-i", "--input", "inputs", multiple=True, metavar="IN", help="a file or folder that is needed")
@click.option("-o", "--output", "outputs", multiple=True, metavar="OUT", help="a file or folder that is made")
@click.option("--each", multiple=True, metavar="NAME=A,B", help="one job for each value of {NAME}")
@click.option("--plain", is_flag=True, help="run the command as it is, not through `datalad run`")
@project_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def add(trigger: str | None, each: tuple[str, ...], project: str | None, **asked: Any) -> None:
    """Queue COMMAND, as `datalad run` has it; with --each, one job for each combination."""
    if not asked["words"]:
        raise UsageError("There is no command.", "wtwatch queue add [OPTIONS] -- COMMAND…")
    chosen = one(project)
    specs = queueing.expand(queueing.Request(each=each, **asked), chosen)
    _queue(chosen, specs, Trigger(trigger or Trigger.NOW.value))


@command.command("rerun")
@_triggers
@project_option
@click.argument("revisions", nargs=-1, metavar="REV...")
def rerun(trigger: str | None, project: str | None, revisions: tuple[str, ...]) -> None:
    """Queue the commands that result commits REV record, to run again on the code of that time."""
    if not revisions:
        raise UsageError("Which results?", "wtwatch queue rerun REV…   (see `git log` of the run tree)")
    chosen = one(project)
    _queue(chosen, [_rerun_of(chosen, rev) for rev in revisions], Trigger(trigger or Trigger.NOW.value))


def _rerun_of(project: Project, rev: str) -> JobSpec:
    commit = Repo(project.run_tree).resolve(rev)
    if commit is None:
        raise UsageError(f"{project.run_tree} has no commit {rev!r}.", f"git -C {project.run_tree} log")
    spec = dataset.spec_of(project.run_tree, commit)
    if spec is None:
        hint = f"git -C {project.run_tree} log --grep 'DATALAD RUNCMD'"
        raise UsageError(f"The commit {rev} has no record of a `datalad run`.", hint)
    return spec


def _queue(project: Project, specs: list[JobSpec], trigger: Trigger) -> None:
    queue = Queue(project.state)
    tip = Repo(project.main_code).resolve(project.bookmark_ref)
    if tip is None:
        raise WtwatchError(f"The bookmark {project.bookmark} is gone.", "wtwatch release REV sets it anew.")
    if trigger is Trigger.EVERY_MOVE:
        made = queue.add_standing(specs, tip)
        say(f"Standing s{made.id}: {len(specs)} jobs, a new batch at every move of {project.bookmark}.")
    else:
        jobs = queue.add(specs, trigger, Sha(tip))
        first, last = jobs[0].id, jobs[-1].id
        named = f"Job {first}" if first == last else f"Jobs {first}–{last}"
        when = "next in line" if trigger is Trigger.NOW else f"after the next move of {project.bookmark}"
        code = "on the code that the run tree is at when the batch starts"
        say(f"{named} in batch {jobs[0].batch}: {when}, {code} (now {tip[:10]}).")
    ring_for(project)
    if not status.daemon()["running"]:
        click.echo("No daemon runs, so nothing starts: wtwatch service install, or wtwatch watch.", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="one JSON document, version 1")
@project_option
def show_list(as_json: bool, project: str | None) -> None:
    """List all jobs, in order of batch."""
    chosen = one(project)
    queue = Queue(chosen.state)
    jobs, standing = queue.jobs(), queue.standing()
    if as_json:
        document = {
            "version": 1,
            "jobs": [_as_json(chosen, job) for job in jobs],
            "standing": [_standing_as_json(template) for template in standing],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    if not jobs and not standing:
        say("The queue is empty.")
    else:
        _table(jobs, standing, queue.wait_for_move())


def _table(jobs: list[Job], standing: list[Standing], later: set[int]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("job", "batch", "state", "time", "what"):
        table.add_column(title, overflow="fold" if title == "what" else "ellipsis", no_wrap=title != "what")
    for job in jobs:
        word = "on move" if job.word == "waiting" and job.batch in later else job.word
        what = job.spec.message or job.spec.command
        style = _STYLES.get(job.word, "")
        table.add_row(
            str(job.id), str(job.batch), f"[{style}]{word}[/]" if style else word, _time(job), _plain(what)
        )
    for template in standing:
        table.add_row(f"s{template.id}", "", "standing", "", f"{len(template.specs)} jobs at every move")
    width = None if sys.stdout.isatty() else 200
    Console(width=width, no_color=bool(os.environ.get("NO_COLOR")) or None).print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _log(project: Project, job: Job) -> Path:
    return Folder.of(project.state, job.id, job.attempt).log


def _time(job: Job) -> str:
    match job.state:
        case Running(started=started):
            return status.since(stamp(started))
        case Ended(started=started, ended=ended) if started:
            return f"{(ended - started).total_seconds():.1f} s"
    return ""


def _as_json(project: Project, job: Job) -> dict[str, Any]:
    state = job.state
    started = None if not isinstance(state, Running | Ended) else state.started
    ended = state if isinstance(state, Ended) else None
    return {
        "id": job.id,
        "project": project.name,
        "batch": job.batch,
        "attempt": job.attempt,
        "state": job.word,
        "command": job.spec.command,
        "message": job.spec.message,
        "code": state.code if isinstance(state, Running | Ended) else None,
        "exit": ended.exit if ended else None,
        "commits": list(ended.commits) if ended else [],
        "detail": ended.detail if ended else None,
        "queued_at": stamp(job.queued),
        "started_at": stamp(started) if started else None,
        "ended_at": stamp(ended.ended) if ended else None,
        "log": str(_log(project, job)) if started else None,
    }


def _standing_as_json(template: Standing) -> dict[str, Any]:
    return {
        "id": f"s{template.id}",
        "base": template.base,
        "commands": [spec.command for spec in template.specs],
        "queued_at": stamp(template.queued),
    }


@command.command("show")
@click.argument("job")
@project_option
def show(job: str, project: str | None) -> None:
    """Show everything about one job."""
    chosen = one(project)
    queue = Queue(chosen.state)
    found = queue.job(job)
    for attempt in [*queue.attempts(job), found]:
        for key, value in _as_json(chosen, attempt).items():
            if value not in (None, []):
                say(f"{key:>11}  {', '.join(value) if isinstance(value, list) else value}")
        say()
    for title, values in (("input", found.spec.inputs), ("output", found.spec.outputs)):
        for value in values:
            say(f"{title:>11}  {value}")


@command.command("logs")
@click.option("-f", "--follow", is_flag=True, help="go on until the job ends")
@click.argument("job")
@project_option
def logs(follow: bool, job: str, project: str | None) -> None:
    """Print what a job printed."""
    chosen = one(project)
    queue = Queue(chosen.state)
    file = _log(chosen, queue.job(job))
    at = _print_from(file, 0)
    while follow and not isinstance(queue.job(job).state, Ended):
        time.sleep(_POLL)
        at = _print_from(file, at)
    _print_from(file, at)


def _print_from(file: Path, at: int) -> int:
    try:
        with file.open("rb") as stream:
            stream.seek(at)
            text = stream.read()
    except FileNotFoundError:
        return at
    click.echo(text, nl=False)
    return at + len(text)


@command.command("wait")
@project_option
def wait(project: str | None) -> int:
    """Wait until nothing runs or is due. Exit code 1 if a job failed, or if no daemon runs."""
    chosen = one(project)
    queue = Queue(chosen.state)
    while _unfinished(chosen, queue):
        if not status.daemon()["running"]:
            raise WtwatchError("Jobs wait, but no daemon runs.", "wtwatch service install, or wtwatch watch.")
        waits = json.loads(queue.get("waits") or "null")
        if waits and not waits.get("busy") and queue.running() is None:
            raise WtwatchError(f"The queue waits for you: {waits['reason']}", waits["hint"])
        time.sleep(_POLL)
    if not status.daemon()["running"]:
        raise WtwatchError("No daemon runs.", "wtwatch service install, or wtwatch watch.")
    bad = [job for job in queue.jobs() if _needs_attention(job)]
    for job in bad:
        say(f"Job {job.id} {job.word}: wtwatch queue logs {job.id}")
    return 1 if bad else 0


def _unfinished(project: Project, queue: Queue) -> bool:
    """Return whether something runs, is due, or will be by a move that was made already."""
    if queue.running() is not None or (queue.next_job() is not None and not queue.paused()):
        return True
    tip = Repo(project.main_code).resolve(project.bookmark_ref)
    return tip is not None and queue.pending(tip)


def _needs_attention(job: Job) -> bool:
    bad = (Outcome.FAILED, Outcome.INTERRUPTED)
    return isinstance(job.state, Ended) and job.state.outcome in bad and not job.acknowledged


@command.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@project_option
def cancel(jobs: tuple[str, ...], project: str | None) -> None:
    """Take waiting or standing jobs back; stop running ones."""
    chosen = one(project)
    running = Queue(chosen.state).cancel(jobs)
    for job in running:
        run.stop(chosen, job)
    ring_for(chosen)
    say("Stopping what runs; the rest is cancelled." if running else "Cancelled.")


@command.command("retry")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--failed", is_flag=True, help="all that failed or were interrupted, and were not acknowledged")
@project_option
def retry(jobs: tuple[str, ...], failed: bool, project: str | None) -> None:
    """Queue jobs again, as a new batch on the code of today."""
    chosen = one(project)
    queue = Queue(chosen.state)
    wanted: list[int | str] = [*jobs]
    if failed:
        wanted += [job.id for job in queue.jobs() if _needs_attention(job)]
    if not wanted:
        raise UsageError("Which jobs?", "wtwatch queue retry JOB…, or --failed (there are none that failed).")
    made = queue.retry(wanted)
    ring_for(chosen)
    say(f"{len(made)} jobs again, in batch {made[0].batch}.")


@command.command("pause")
@project_option
def pause(project: str | None) -> None:
    """Start no further job; the one that runs goes on, and a batch under way keeps its code."""
    Queue(one(project).state).pause()
    say("Paused. `wtwatch queue resume` goes on.")


@command.command("resume")
@project_option
def resume(project: str | None) -> None:
    """Start jobs again."""
    chosen = one(project)
    Queue(chosen.state).resume()
    ring_for(chosen)
    say("Going on.")


@command.command("remove")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@project_option
def remove(jobs: tuple[str, ...], project: str | None) -> None:
    """Forget jobs that do not run; their results stay."""
    Queue(one(project).state).remove(jobs)
    say("Removed.")
