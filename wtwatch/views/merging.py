"""What is said of a merge: what comes home, by job and by folder, what is left to do, how to undo it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from wtwatch.home import merge
from wtwatch.home.harvest import Brought
from wtwatch.home.merge import Report
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.tree import keeping
from wtwatch.views.terminal import folded, say, width
from wtwatch.words.model import counted, sized
from wtwatch.words.quoting import quoted

SHOWN = 10
"""So many jobs, and so many folders, are listed at most."""


def preview(project: str | None = None, pointer: str | None = None) -> int:
    """Print what a merge would do, and change nothing; return the exit code. Raises :class:`WtwatchError`."""
    chosen = one(project)
    for line in lines(chosen, merge.prepare(chosen, pointer), False, width()):
        say(line)
    return 0


def lines(project: Project, report: Report, done: bool, columns: int | None) -> Iterator[str]:
    """Yield what is to be read of a merge that was ``done``, or would be, in so many ``columns``."""
    if not report.steps and not report.new:
        yield from _nothing(project, report, columns)
        return
    verb = "Brought" if done else "Would bring"
    of = "job" if report.jobs else "commit"  # made by hand, or by a plain job
    number = report.jobs or len(report.commits)
    what = f"{counted(number, of)}: {counted(report.files, 'file')}, {sized(report.size)}"
    if not report.files and not report.jobs:
        what = f"{counted(number, of)} without a file"
    yield f"{verb} home {what}{_how(report)}."
    yield from _table("by job", report.harvest.by_job, columns, "job")
    yield from _table("by folder", report.harvest.by_folder, columns, "folder")
    for step in report.steps:
        if step.path:
            yield f"  in {step.path}: {step.ours[:10]} → {step.theirs[:10]}"
    if report.new:
        names = [one.path for one in report.new]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield from folded(f"  new, each a repository of its own: {', '.join(names[:SHOWN])}{more}", columns)
    if report.later:
        yield from folded(report.later, columns)
    for prose, line in _left_to_do(project, report):
        yield from folded(prose, columns)
        yield f"    {line}"
    if done:
        yield from _undo(project, report)


def _how(report: Report) -> str:
    if not report.steps:
        return ""
    return " (fast-forward)" if report.steps[-1].fast_forward else " (merge commit)"


def _nothing(project: Project, report: Report, columns: int | None) -> Iterator[str]:
    if report.only_pointer:
        yield f"Nothing to bring home: only the pointer of {project.code} differs."
        yield from folded(
            "A merge commit for that alone, if you want one: wtwatch merge --pointer main   (or run)", columns
        )
    else:
        yield f"Nothing to merge: the main tree has all that {project.branch} has."


def _table(title: str, brought: Sequence[Brought], columns: int | None, noun: str) -> Iterator[str]:
    """Yield the greatest of many rows, each on one line; a row alone says nothing new."""
    if len(brought) < 2:
        return
    shown = sorted(brought, key=lambda row: (-row.size, -row.files, row.what))[:SHOWN]
    facts = [(counted(row.files, "file"), sized(row.size)) for row in shown]
    wide = [max(map(len, column)) for column in zip(*facts, strict=True)]
    yield f"  {title}"
    for row, (files, size) in zip(shown, facts, strict=True):
        start = f"    {files:>{wide[0]}}  {size:>{wide[1]}}  "
        yield start + _shortened(row.what or "(no message)", columns and columns - len(start))
    if len(brought) > len(shown):
        yield f"    and {counted(len(brought) - len(shown), 'more ' + noun)}"


def _shortened(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else f"{text[: room - 1].rstrip()}…"


def _left_to_do(project: Project, report: Report) -> Iterator[tuple[str, str]]:
    """Yield what is left to do, and the line that does it, to be pasted."""
    if report.pointer_differs:
        yield (
            f"Your {project.code} checkout was left alone, so `git status` shows it as modified: it is at "
            "another commit than the results name. To record yours:",
            f"datalad save {quoted(project.code)}",
        )
    if report.lacking:
        remote, missing = report.lacking
        yield (
            f"On no branch of a remote: {counted(missing, 'code commit')} that these results name. "
            "To keep there what results name:",
            keeping.push_line(project, remote),
        )
    if report.above:
        inside = project.main_tree.relative_to(report.above)
        yield "To record it above:", f"datalad save -d {quoted(report.above)} {quoted(inside)}"


def _undo(project: Project, report: Report) -> Iterator[str]:
    """Yield how to take it back, a dataset a line: open edits stay, or git refuses (git-reset(1))."""
    labels = itertools.chain(["Undo: "], itertools.repeat("      "))
    for label, step in zip(labels, reversed(report.steps), strict=False):
        where = project.main_tree / step.path if step.path else project.main_tree
        yield f"{label}git -C {quoted(where)} reset --keep {step.ours[:12]}"
