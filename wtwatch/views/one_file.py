"""Where a file comes from, on a screen: its run, its code, its inputs, and the line that makes it again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.job import ingredients, origin
from wtwatch.job.origin import Made, Origin
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.stale import look
from wtwatch.stale.values import Standing
from wtwatch.tree import tip as bookmark
from wtwatch.views import stale
from wtwatch.views.factlines import commit_words, fact, listed, spec_facts
from wtwatch.views.jobwords import one_line
from wtwatch.views.terminal import folded, styled
from wtwatch.words.errors import WtwatchError
from wtwatch.words.quoting import quoted

_ATTEMPT = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)

INPUTS = 20
"""Input files that are named one by one."""


def lines(project: Project, path: Path, columns: int | None) -> Iterator[str]:
    """Yield the screen of a file; raises :class:`UsageError` for a path in no tree, or that is nowhere."""
    if left := _left_by(project, path):
        yield styled(one_line(path.name), bold=True)
        yield from fact("left by", f"job {left[0]}, attempt {left[1]}  (wtwatch show {left[0]})", columns)
        return
    found = origin.of_file(project, path)
    yield styled(one_line(found.place.path), bold=True)
    for label, text in (*_facts(project, found), *_standing(project, found), *_stale(project, found)):
        yield from fact(label, text, columns)
    yield ""
    for line in _again(project, found):
        yield from folded(line, columns)


def _left_by(project: Project, path: Path) -> tuple[int, int] | None:
    """Return which job and attempt left a file that was moved out of the run tree behind it."""
    shelf = Path(os.path.realpath(RunTree.of(project).shelf)) / "jobs"
    where = Path(os.path.realpath(path.parent)) / path.name
    found = _ATTEMPT.fullmatch(where.relative_to(shelf).parts[0]) if shelf in where.parents else None
    return (int(found[1]), int(found[2])) if found else None


def _facts(project: Project, found: Origin) -> Iterator[tuple[str, str]]:
    made = found.made
    if made is None:
        yield "made by", "no run that left a record" if found.last else "nobody knows whom"
        return
    yield "made by", _maker(made)
    if made.spec.message:
        yield "message", made.spec.message
    yield "when", f"{made.at.astimezone():%Y-%m-%d %H:%M:%S}"
    yield "code", _code(project, made)
    yield from spec_facts(made.spec._replace(inputs=(), rerun_of=None), made.spec.command)
    if made.base:
        used = ingredients.of_run(made.within, made.base, made.spec.inputs, INPUTS)
        known = [f"{one.path}  {one.key}" for one in used.files]
        yield from listed("input", [*known, *(["… and more"] if used.more else []), *used.missing])
    yield "commit", commit_words(made.commit, made.within.subjects([made.commit]))


def _maker(made: Made) -> str:
    if made.job is None:
        return "a job that is no longer in the queue" if made.ours else "`datalad run`, by hand"
    return f"job {made.job.id}, attempt {made.job.attempt}  (wtwatch show {made.job.id})"


def _code(project: Project, made: Made) -> str:
    if made.code_sha is None:
        return f"unknown; the dataset was at {made.base[:10]}" if made.base else "unknown"
    return commit_words(made.code_sha, Repo(project.main_code).subjects([made.code_sha]))


def _standing(project: Project, found: Origin) -> Iterator[tuple[str, str]]:
    """Yield how the file stands now."""
    repo = found.place.datasets[-1][0]
    if found.last and (found.changed or found.made is None):
        yield "changed by", commit_words(found.last, repo.subjects([found.last]))
    if found.state:
        yield "now", found.state
    if found.newer:
        yield "newer", f"in the run tree: {found.newer[:10]}  (wtwatch merge brings it home)"
    elif found.away:
        yield "now", "in the run tree alone  (wtwatch merge brings it home)"
    elif found.place.top == project.run_tree and found.last:
        yield "now", "in both trees"


def _stale(project: Project, found: Origin) -> Iterator[tuple[str, str]]:
    """Yield whether code, inputs or environment have left the file's run behind, and what of them."""
    made, tip = found.made, bookmark.read(project).commit
    trees = (project.run_tree, project.main_tree)
    if made is None or found.changed or tip is None or made.within.path not in trees:
        return
    tree = RunTree.of(project)
    with suppress(WtwatchError):
        seen = look.of_one(tree, made.spec._replace(rerun_of=made.commit), tip, made.within)
        if seen is not None and seen.standing is not Standing.FRESH:
            for number, why in enumerate(stale.why_of(tree, seen, tip)):
                yield "" if number else seen.standing.value, why
        elif seen is not None:
            yield "fresh", "nothing that it was made from has changed since"


def _again(project: Project, found: Origin) -> Iterator[str]:
    made = found.made
    if made is None:
        yield "No run made it, so none can make it again."
        return
    if made.job is not None and made.spec.plain:
        yield f"To make it again: wtwatch queue retry {made.job.id}"
    elif made.within.path in (project.run_tree, project.main_tree):
        yield f"To make it again: wtwatch queue rerun {made.commit[:12]}"
    else:
        yield f"To make it again: datalad rerun -d {quoted(made.within.path)} {made.commit[:12]}"
