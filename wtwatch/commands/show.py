"""``wtwatch show``: what a thing is and how it stands: a job, a batch, a standing order, a backup, a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.registry import here, known, one, projects_at
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import number_of
from wtwatch.queue.wanted import batch_number
from wtwatch.tree import backups
from wtwatch.views import one_batch, one_file, one_job
from wtwatch.views.factlines import without_secrets
from wtwatch.views.terminal import say, width
from wtwatch.words.errors import UsageError
from wtwatch.words.model import now

_BATCH = re.compile(r"b\d+", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)
_STANDING = re.compile(r"s(\d+)", re.ASCII)
_BACKUP = re.compile(r"\d{8}T\d{0,6}Z?(-[0-9a-f]*)?", re.ASCII)


@click.command("show")
@click.argument("things", nargs=-1, required=True, metavar="THING...", shell_complete=completing.things)
@click.option("--uses", "with_uses", is_flag=True, help="Of jobs: all that they used of the code.")
@click.option("--json", "as_json", is_flag=True, help="With --uses: one document, for programs.")
@project_option
def command(things: tuple[str, ...], with_uses: bool, as_json: bool, project: str | None) -> None:
    """Show what THING is: 3 a job, b3 a batch, s1 a standing order, a backup's id, else a file (./3).

    Of a job all there is to know, and what it waits for; of a batch each of its jobs; of a file which run
    made it, on which code, from what, and the line that makes it again.
    """
    chosen = _project_of(things[0], project)
    if as_json and not with_uses:
        raise UsageError("--json goes with --uses.", "`wtwatch queue list --json` has all jobs.")
    if with_uses:
        _say_uses(chosen, [number_of(thing) for thing in things], as_json)
        return
    for number, thing in enumerate(things):
        if number:
            say()
        for line in _shown(chosen, thing):
            say(line)


def _say_uses(project: Project, numbers: list[int], as_json: bool) -> None:
    queue = Queue(project.state)
    found = [(queue.job(number), queue.uses(number)) for number in numbers]
    if as_json:
        jobs = [{"id": job.id, "attempt": job.attempt, "uses": uses._asdict()} for job, uses in found]
        say(json.dumps({"version": 1, "jobs": jobs}, indent=2))
        return
    for job, uses in found:
        for line in one_job.uses_lines(job.id, uses):
            say(line)


def _project_of(thing: str, name: str | None) -> Project:
    """Return the project that is meant: by its name, by where one stands, else by where a path lies."""
    path = here() / thing
    if name is None and "/" in thing and path.parent.is_dir():
        found = projects_at(path.parent, known().projects)
        if len(found) == 1:
            return found[0]
    return one(name)


def _shown(project: Project, thing: str) -> Iterator[str]:
    columns = width()
    if not thing:
        raise UsageError("Show what?", "wtwatch show 3 (a job), b3 (a batch), s1, a backup's id, or a path")
    if found := _STANDING.fullmatch(thing):
        yield from _standing(project, number_of(found[1]), columns)
    elif _BATCH.fullmatch(thing):
        yield from one_batch.lines(project, batch_number(thing), now(), columns)
    elif _BACKUP.fullmatch(thing):
        tree = RunTree.of(project)
        yield backups.show(tree, backups.find(tree, thing))
    elif _NUMBER.fullmatch(thing):
        yield from one_job.lines(one_job.collect(project, number_of(thing)), now(), columns)
    else:
        yield from one_file.lines(project, here() / thing, columns)


def _standing(project: Project, number: int, columns: int | None) -> Iterator[str]:
    template = next((found for found in Queue(project.state).standing() if found.id == number), None)
    if template is None:
        raise UsageError(f"There are no standing jobs s{number}.", "`wtwatch queue list` shows all.")
    subjects = Repo(project.main_code).subjects([template.base])
    specs = tuple(without_secrets(spec, project.secret) for spec in template.specs)
    yield from one_job.standing_lines(template._replace(specs=specs), subjects, columns)
