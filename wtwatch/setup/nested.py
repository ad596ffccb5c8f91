"""The worktrees of subdatasets that came into a run tree since it was made."""

from __future__ import annotations

from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.setup import worktrees
from wtwatch.setup.dotgit import check_absorbed
from wtwatch.setup.layout import Below, check_below, subdatasets, survey
from wtwatch.tree.nested import LOCKED_FOR, has_all
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha


def complete(project: Project) -> None:
    """Make the worktrees that the run tree lacks of subdatasets which its superdataset names by now.

    Those that are not installed in the main tree stay empty, as there. Raises :class:`WtwatchError`, with
    nothing left of what it began.
    """
    code = "" if project.paths else project.code
    found = survey(project.main_tree, project.run_tree, code, project.branch, Sha(""))
    if not found.missing:
        return
    check_absorbed([wanted.main for wanted in found.missing])
    worktrees.relink((wanted.main for wanted in found.missing), project.run_tree)
    commit = Repo(project.run_tree).resolve("HEAD")
    missing = {wanted.path for wanted in found.missing}
    for below in subdatasets(project.main_tree, commit) if commit else ():
        if _place(project, below) in missing:
            check_below(below, project.run_tree, code, project.branch)
    reason = f"{LOCKED_FOR} {project.name}"
    with worktrees.made(found, reason):
        pass


def follow(project: Project) -> list[str]:
    """Make worktrees of subdatasets that were installed in the main tree since; say why one cannot be made.

    That need not keep a job from starting.
    """
    if has_all(project):
        return []
    try:
        complete(project)
    except WtwatchError as error:
        return [f"{error.message} {error.hint}"]
    return []


def _place(project: Project, below: Below) -> Path:
    return project.run_tree / below.path
