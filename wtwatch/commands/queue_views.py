"""``wtwatch queue list``, ``show`` and ``logs``: look at jobs, change nothing."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from wtwatch.commands.front import project_option
from wtwatch.commands.queue_wait import POLL, stand_aside
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.views.terminal import plain, say, warn
from wtwatch.words.model import Ended, Job, Running, Standing, ago, counted, stamp

_STYLES = {
    "succeeded": "green",
    "unchanged": "green",
    "failed": "red",
    "interrupted": "red",
    "running": "cyan",
}


@click.command("list")
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
            str(job.id), str(job.batch), f"[{style}]{word}[/]" if style else word, _time(job), _unmarked(what)
        )
    for template in standing:
        table.add_row(
            f"s{template.id}", "", "standing", "", f"{counted(len(template.specs), 'job')} at every move"
        )
    width = None if sys.stdout.isatty() else 200
    console = Console(width=width, no_color=plain() or None)
    with console.capture() as drawn:  # rich would end the process where a reader went away
        console.print(table)
    click.echo(drawn.get(), nl=False, color=True)


def _unmarked(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _log(project: Project, job: Job) -> Path:
    return Folder.of(project.state, job.id, job.attempt).log


def _time(job: Job) -> str:
    match job.state:
        case Running(started=started):
            return ago(started)
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
        "code": state.code_sha if isinstance(state, Running | Ended) else None,
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


@click.command("show")
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


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="go on until the job ends")
@click.argument("job")
@project_option
def logs(follow: bool, job: str, project: str | None) -> None:
    """Print what a job printed."""
    chosen = one(project)
    queue = Queue(chosen.state)
    found = queue.job(job)
    file = _log(chosen, found)
    if not file.exists() and not follow:
        warn(f"Job {job} has no log: it is {found.word}.")
    at = _print_from(file, 0)
    stand_aside()
    while follow and not isinstance(queue.job(job).state, Ended):
        time.sleep(POLL)
        at = _print_from(file, at)
    _print_from(file, at)
    ended = queue.job(job)
    if isinstance(ended.state, Ended) and ended.state.detail:  # what was not for the job itself to print
        warn(f"Job {job} {ended.word}: {ended.state.detail}")


def _print_from(file: Path, at: int) -> int:
    try:
        with file.open("rb") as stream:
            stream.seek(at)
            text = stream.read()
    except FileNotFoundError:
        return at
    click.echo(text, nl=False)
    return at + len(text)
