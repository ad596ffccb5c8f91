"""``wtwatch merge``: bring results into the main tree."""

from __future__ import annotations

import shlex

import click

from wtwatch.commands.front import project_option
from wtwatch.home import merge
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.views.terminal import say
from wtwatch.words.model import counted

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@click.command("merge")
@project_option
@click.option("--dry-run", is_flag=True, help="say what would come, change nothing")
@click.option(
    "--pointer", type=click.Choice(["main", "run"]), help="whose pointer of code to keep, if both moved"
)
def command(project: str | None, dry_run: bool, pointer: str | None) -> None:
    """Bring results home, whole or not at all; open edits and your code checkout are never touched."""
    chosen = one(project)
    report = merge.prepare(chosen, pointer)
    if not report.steps:
        say(f"Nothing to merge: the main tree has all that {chosen.bookmark} has.")
        return
    if not dry_run:
        merge.act(chosen, report)
    _tell(chosen, report, "Would bring" if dry_run else "Brought")


def _tell(project: Project, report: merge.Report, verb: str) -> None:
    how = "fast-forward" if report.steps[-1].fast_forward else "merge commit"
    jobs, files = counted(report.jobs, "job"), counted(report.files, "file")
    say(f"{verb} home {jobs}: {files}, {size(report.size)} ({how}).")
    for step in report.steps:
        if step.path:
            say(f"  in {step.path}: {step.ours[:10]} → {step.theirs[:10]}")
    if report.pointer_differs:
        say(
            f"Your {project.code} checkout was left alone, so `git status` shows it as modified: it is at "
            "another commit than the results name.\n"
            f"`datalad save {shlex.quote(project.code)}` would record yours."
        )
    if report.above:
        inside = project.main_tree.relative_to(report.above)
        say(
            f"To record it above: datalad save -d {shlex.quote(str(report.above))} {shlex.quote(str(inside))}"
        )


def size(count: int) -> str:
    """Return a number of bytes for people."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError
