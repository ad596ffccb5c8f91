"""``wtwatch queue list``: the newest jobs as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.doors.repo import Repo
from wtwatch.job import elsewhere
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.registry import Known, known, one
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import Chosen, Page, earlier, numbers, page
from wtwatch.queue.wanted import batch_number
from wtwatch.views import jobdocument, joblist
from wtwatch.views.jobwords import BAD
from wtwatch.views.terminal import complain, folded, say, styled, width
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Outcome, Running, now

PAGE = 50
"""Jobs that are listed unless more are asked for."""

STATES = ("waiting", "running", *(outcome.value for outcome in Outcome), "held")
"""The words of the contract for the state of a job."""


@click.command("list")
@click.option("--failed", is_flag=True, help="those that failed or were interrupted, and were not retried")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="those in this state")
@completing.batch_option("the jobs of batch N")
@click.option(
    "-n", "limit", type=click.IntRange(min=0), help="the newest N; 0: all (default 50; with --json 0)"
)
@click.option("--all-projects", "everywhere", is_flag=True, help="of all projects")
@click.option("--json", "as_json", is_flag=True, help="one JSON document, version 1")
@project_option
def command(
    as_json: bool, project: str | None, everywhere: bool, limit: int | None, failed: bool, **asked: Any
) -> int:
    """List jobs by batch, the newest last."""
    found = known() if everywhere else Known((one(project),), ())
    for broken in found.broken:
        complain(broken.error)
    limit = (0 if as_json else PAGE) if limit is None else limit
    states = (*asked["states"], *(outcome.value for outcome in BAD if failed))
    batches = tuple(map(batch_number, asked["batches"]))
    _check(found.projects, batches)
    chosen = Chosen(states, batches, limit or None, retried=not (failed or as_json))
    if as_json:
        say(json.dumps(_document(found.projects, chosen), ensure_ascii=False, indent=1))
    else:
        for number, shown in enumerate(found.projects):
            if everywhere:
                say(("\n" if number else "") + styled(shown.name, bold=True))
            say("\n".join(_listed(shown, chosen)))
    return 1 if found.broken else 0


def _check(projects: Sequence[Project], batches: Sequence[int]) -> None:
    """Raise :class:`UsageError` for a batch that is in none of the queues."""
    files = [Queue(project.state).file for project in projects] if batches else []
    for batch in set(batches).difference(*map(numbers, files)):
        raise UsageError(f"There is no batch {batch}.", "`wtwatch queue list` shows all.")


def _document(projects: Sequence[Project], chosen: Chosen) -> dict[str, Any]:
    found: dict[str, Any] = {"version": 1, "jobs": [], "standing": []}
    for project in projects:
        file = Queue(project.state).file
        listed = page(file, chosen)
        part = jobdocument.document(project, [row.job for row in listed.rows], earlier(file), listed.standing)
        found["jobs"] += part["jobs"]
        found["standing"] += part["standing"]
    return found


def _waits(project: Project, listed: Page) -> dict[int, str]:
    """Return of jobs that a cluster has what keeps them from their work, by their numbers."""
    running = (row.job for row in listed.rows if isinstance(row.job.state, Running))
    found = ((job.id, elsewhere.waits(Folder.of(project.state, job.id, job.attempt))) for job in running)
    return {number: said for number, said in found if said}


def _listed(project: Project, chosen: Chosen) -> Iterator[str]:
    queue, columns = Queue(project.state), width()
    listed = page(queue.file, chosen)
    commits = {batch.code_sha for batch in listed.batches.values() if batch.code_sha}
    subjects, waits = Repo(project.main_code).subjects(commits), _waits(project, listed)
    yield from joblist.lines(listed, subjects, now(), columns, waits)
    narrowed = bool(chosen.states or chosen.batches)
    if not narrowed:
        yield from joblist.standing_lines(listed.standing, columns)
    if not listed.rows and (narrowed or not listed.standing):
        yield "There are no such jobs." if narrowed else "The queue is empty."
    if queue.paused():
        why = queue.pause_reason()
        said = f"The queue is paused{f' ({why})' if why else ''}: wtwatch queue resume"
        yield from (styled(line, "yellow") for line in folded(said, columns))
