"""Make a project of a superdataset: decide everything first, then make all of it or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wtwatch.doors import jj
from wtwatch.doors.files import bell_in, held
from wtwatch.doors.repo import Repo
from wtwatch.project import config, listing
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import checks, githooks, intent, moved, worktrees
from wtwatch.setup.finding import demand
from wtwatch.setup.intent import Asked
from wtwatch.setup.layout import Layout, stands, survey
from wtwatch.tree import changes
from wtwatch.tree.nested import LOCKED_FOR
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import Sha


@dataclass(frozen=True)
class Making:
    """What is to be made; ``tip`` is where the bookmark is or will be, ``known``: it is a project already."""

    project: Project
    known: bool
    tip: Sha
    new_bookmark: bool
    layout: Layout


def decide(start: Path, asked: Asked, projects: Sequence[Project]) -> Making:
    """Decide what `init` in the folder ``start`` has to make; changes nothing but :func:`worktrees.relink`.

    ``projects`` are all that can be read. Raises :class:`UsageError` or :class:`WtwatchError` with the way
    out for whatever stands in the way.
    """
    project, known = intent.choose(start, asked, projects)
    config.check_text(project)
    worktrees.relink(moved.repositories(project), project.run_tree)
    demand(checks.project(project))
    tip, new = checks.tip(project)
    code = "" if project.paths else project.code
    layout = survey(project.main_tree, project.run_tree, code, project.branch, tip)
    return Making(project, known, tip, new, layout)


@contextmanager
def alone(wait: float = 10.0) -> Iterator[None]:
    """Keep other `init`s out while one decides and acts; raises :class:`Busy` after ``wait`` seconds."""
    lock = listing.registry_file().with_name("projects.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with held(lock, wait, what="the list of projects"):
        yield


def carry_out(making: Making) -> None:
    """Make all of it, or nothing if that fails; with :func:`alone` held since before the making."""
    try:
        _make_all(making)
    except CommandFailed as error:
        listed = "\n".join(f"  {wanted}" for wanted in making.layout.missing)
        raise WtwatchError(
            f"The run tree could not be made, and nothing is left of it: {error.message}",
            f"Mend that and try again; it would have been:\n{listed}",
        ) from error
    worktrees.lock(making.layout.trees, f"{LOCKED_FOR} {making.project.name}")


def _make_all(making: Making) -> None:
    project = making.project
    with worktrees.made(making.layout, f"{LOCKED_FOR} {project.name}"), ExitStack() as undo:
        undo.callback(_remove_empty, project.state.parent)
        if not project.state.exists():
            undo.callback(shutil.rmtree, project.state, ignore_errors=True)
        project.state.mkdir(parents=True, exist_ok=True)
        project.state.chmod(0o700)
        config.write_project(project)
        if project.name not in listing.registered():
            undo.callback(listing.unregister, project.name)
        listing.register(project.name, project.state)
        if making.new_bookmark:
            _make_bookmark(project, making.tip)
        if not making.known and any(wanted.new_branch for wanted in making.layout.missing):
            _forget_branch(project)
        undo.pop_all()


def take_apart(project: Project, others: Sequence[Project]) -> None:
    """Take back what `init` put outside of the run tree: hooks, bell, locks of worktrees, the registration.

    Data stays: trees, branches, refs, and the state with its queue and logs. What other projects of the
    same code need stays too.
    """
    if project.main_code.is_dir() and all(other.main_code != project.main_code for other in others):
        githooks.uninstall(project.main_code)
        bell = bell_in(Repo(project.main_code).common_dir())
        bell.unlink(missing_ok=True)
        _remove_empty(bell.parent)
    if stands(project.run_tree):
        installed = [found.path for found in changes.subdatasets(project.run_tree) if found.installed]
        trees = [project.run_tree, *(project.run_tree / path for path in installed)]
        worktrees.unlock(trees, LOCKED_FOR)
    listing.unregister(project.name)


def _forget_branch(project: Project) -> None:
    """Let go of a branch for results that a forgotten project had, and that is begun anew."""
    repo, tree = Repo(project.main_tree), RunTree.of(project)
    for ref in (tree.known_ref, tree.fork_ref):
        repo.git("update-ref", "-d", ref)


def _make_bookmark(project: Project, tip: Sha) -> None:
    repo = Repo(project.main_code)
    repo.break_lock(f"refs/heads/{project.bookmark}")
    if jj.drives(repo.path):
        jj.set_bookmark(repo.path, project.bookmark, tip)
    else:
        repo.git("branch", "--no-track", "--", project.bookmark, tip)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
