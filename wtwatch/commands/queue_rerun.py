"""``wtwatch queue rerun``: what results' commits record, run again."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option
from wtwatch.commands.ordering import Order, order_options, queue_jobs
from wtwatch.commands.wishes import wish_options
from wtwatch.doors import dataset
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.registry import need_run_tree, one
from wtwatch.queue import orders
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec
from wtwatch.words.quoting import quoted
from wtwatch.words.resources import Resources


@click.command("rerun")
@project_option
@click.argument("revisions", nargs=-1, metavar="REV...")
@wish_options
@order_options
def rerun(order: Order, project: str | None, want: Resources, revisions: tuple[str, ...]) -> None:
    """Queue the commands that result commits REV record, to run again on the newest code."""
    if not revisions:
        raise UsageError("Which results?", "wtwatch queue rerun REV…   (see `git log` of the run tree)")
    chosen = one(project)
    need_run_tree(chosen)
    specs = [_rerun_of(chosen, rev) for rev in revisions]
    queue_jobs(chosen, [resources.with_wishes(spec, want) for spec in specs], order)


def _rerun_of(project: Project, rev: str) -> JobSpec:
    commit = Repo(project.run_tree).resolve(rev)
    if commit is None:
        raise UsageError(
            f"{project.run_tree} has no commit {rev!r}.", f"git -C {quoted(project.run_tree)} log"
        )
    spec = dataset.spec_of(project.run_tree, commit)
    if spec is None:
        hint = f"git -C {quoted(project.run_tree)} log --grep 'DATALAD RUNCMD'"
        raise UsageError(f"The commit {rev} has no record of a `datalad run`.", hint)
    orders.check_inside(spec, project.run_tree)
    return spec
