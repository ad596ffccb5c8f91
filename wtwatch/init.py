"""Make a project of a superdataset: decide everything first, then make all of it or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from wtwatch import config, dataset, environment, githooks, jj, maintree, runtree, worktrees
from wtwatch.config import Project
from wtwatch.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.files import bell_in, held
from wtwatch.maintree import quoted
from wtwatch.model import Sha
from wtwatch.repo import Repo
from wtwatch.worktrees import Layout


@dataclass(frozen=True)
class Wish:
    """What was asked for; ``None`` leaves the choice to wtwatch, or to what the project has already."""

    run_tree: Path | None = None
    bookmark: str | None = None
    code: str | None = None
    env: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be made; ``tip`` is where the bookmark is or will be, ``known``: it is a project already."""

    project: Project
    known: bool
    tip: Sha
    new_bookmark: bool
    layout: Layout


def check_tools() -> None:
    """Raise :class:`WtwatchError` if something that all work rests on does not run here."""
    root = Repo(Path("/"))
    version = tuple(map(int, re.findall(r"\d+", root.git("version"))[:2]))
    if version < (2, 38):
        raise WtwatchError(f"This is {root.git('version')}, which is too old.", "Install git 2.38 or later.")
    try:
        root.git("annex", "version", "--raw")
    except CommandFailed as error:
        raise WtwatchError(
            f"git-annex does not run: {error.stderr.strip()}",
            "pip install git-annex, in the environment of wtwatch, or install your system's package.",
        ) from error
    try:
        root.git("var", "GIT_COMMITTER_IDENT")
    except CommandFailed as error:
        raise WtwatchError(
            "git does not know who you are, so nothing can be committed.",
            "git config --global user.name 'Your Name'; git config --global user.email you@example.org",
        ) from error
    try:
        dataset.load()
    except ImportError as error:
        raise WtwatchError(
            f"DataLad cannot be used: {error}.", "pip install datalad, in the environment of wtwatch."
        ) from error


def plan(start: Path, wish: Wish, projects: Sequence[Project]) -> Plan:
    """Decide what `init` in the folder ``start`` has to make; changes nothing.

    ``projects`` are all that can be read. Raises :class:`UsageError` or :class:`WtwatchError` with the way
    out for whatever stands in the way.
    """
    wish = replace(wish, code=maintree.code_path(wish.code) if wish.code is not None else None)
    project, known = _choose(start, wish, projects)
    maintree.check(project.main_tree, project.code, project.bookmark)
    tip, new = _tip(project)
    layout = worktrees.survey(project.main_tree, project.run_tree, project.code, project.bookmark, tip)
    environment.require_uv(replace(project, run_tree=project.main_tree))  # the run tree is not there yet
    return Plan(project, known, tip, new, layout)


def carry_out(plan: Plan) -> None:
    """Make all of it, or nothing if that fails."""
    lock = config.registry_file().with_name("projects.lock")
    try:
        with held(lock, wait=10.0, what="the list of projects"):
            _make_all(plan)
    except CommandFailed as error:
        listed = "\n".join(f"  {wanted}" for wanted in plan.layout.missing)
        raise WtwatchError(
            f"The run tree could not be made, and nothing is left of it: {error.message}",
            f"Mend that and try again; it would have been:\n{listed}",
        ) from error
    worktrees.lock(plan.layout.trees, lock_reason(plan.project))


def _make_all(plan: Plan) -> None:
    project = plan.project
    with worktrees.made(plan.layout, lock_reason(project)), ExitStack() as undo:
        undo.callback(_remove_empty, project.state.parent)
        if not project.state.exists():
            undo.callback(shutil.rmtree, project.state, ignore_errors=True)
        project.state.mkdir(parents=True, exist_ok=True)
        project.state.chmod(0o700)
        config.write_project(project)
        if project.name not in config.registered():
            undo.callback(config.unregister, project.name)
        config.register(project.name, project.state)
        if plan.new_bookmark:
            _make_bookmark(project, plan.tip)
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
    if worktrees.stands(project.run_tree):
        installed = [found.path for found in runtree.subdatasets(project.run_tree) if found.installed]
        trees = [project.run_tree, *(project.run_tree / path for path in installed)]
        worktrees.unlock(trees, lock_reason(project))
    config.unregister(project.name)


def lock_reason(project: Project) -> str:
    """Return what git says of a worktree that is locked for the project."""
    return f"run tree of the wtwatch project {project.name}"


def _choose(start: Path, wish: Wish, projects: Sequence[Project]) -> tuple[Project, bool]:
    """Return the project that is meant, and whether it is there already."""
    around = [tree.resolve() for tree in maintree.trees_around(start)]
    for tree in around:
        stood_in = next((one for one in projects if one.run_tree.resolve() == tree), None)
        if stood_in is not None:
            wish = replace(wish, bookmark=stood_in.bookmark if wish.bookmark is None else wish.bookmark)
            return _of(stood_in.main_tree, start, wish, projects)
        if any(one.main_tree.resolve() == tree for one in projects):
            return _of(tree, start, wish, projects)
    tree = maintree.find(start, wish.code or "code").resolve()
    if maintree.is_linked(tree):
        main = next(iter(Repo(tree).worktrees()))
        raise UsageError(
            f"{tree} is a linked worktree of {main}, and a project starts from that.",
            f"cd {quoted(main)}, then wtwatch init; to make this its run tree: --run-tree {quoted(tree)}",
        )
    return _of(tree, start, wish, projects)


def _of(main: Path, start: Path, wish: Wish, projects: Sequence[Project]) -> tuple[Project, bool]:
    bookmark = "runs" if wish.bookmark is None else wish.bookmark
    mine = [project for project in projects if project.main_tree.resolve() == main.resolve()]
    for project in mine:
        if project.bookmark == bookmark:
            return _again(project, start, wish), True
    before = _forgotten(main, bookmark)
    name = wish.name or (before.name if before else _default_name(main, bookmark if mine else None))
    config.check_name(name)
    state = Repo(main).common_dir() / "wtwatch" / name
    _check_name_is_new(name, state, projects)
    run_tree = _run_tree(main, start, wish, bookmark)
    for other in projects:
        if any(run_tree.is_relative_to(tree.resolve()) for tree in (other.run_tree, other.main_tree)):
            raise UsageError(
                f"{run_tree} lies in a tree of the project {other.name}.",
                "Give another place: --run-tree PATH.",
            )
    chosen = Project(
        name=name,
        state=state,
        main_tree=main,
        run_tree=run_tree,
        bookmark=bookmark,
        code=wish.code or (mine[0].code if mine else "code"),
        environment=_environment(wish, before.environment if before else "auto"),
        host=config.host(),
    )
    if before is None:
        return chosen, False
    changes = {key: getattr(chosen, key) for key in ("name", "state", *config.MAIN_SETTINGS)}
    return replace(before, **changes), False


def _again(project: Project, start: Path, wish: Wish) -> Project:
    """Return a project that is there already, with what was asked for anew."""
    if wish.run_tree is not None and (start / wish.run_tree).resolve() != project.run_tree.resolve():
        raise UsageError(
            f"{project.name} follows {project.bookmark} in {project.run_tree} already.",
            "One bookmark has one run tree: give another --bookmark, or `wtwatch forget` the project first.",
        )
    if wish.name not in (None, project.name):
        raise UsageError(
            f"This superdataset and bookmark are the project {project.name!r}.", "Leave --name out."
        )
    if wish.code not in (None, project.code):
        raise UsageError(f"The code of {project.name} is in {project.code!r}.", "Leave --code out.")
    return replace(project, environment=_environment(wish, project.environment), host=config.host())


def _environment(wish: Wish, default: str) -> str:
    if wish.env is not None and not wish.env.strip():
        raise UsageError("--env is empty.", "Give auto, none, or a command that sets code/.venv up.")
    return wish.env or default


def _run_tree(main: Path, start: Path, wish: Wish, bookmark: str) -> Path:
    if wish.run_tree is not None:
        return (start / wish.run_tree).resolve()
    # beside the outermost dataset: inside of one, it would show there as untracked
    return maintree.outermost(main).parent.resolve() / f"{main.name}-{bookmark.replace('/', '-')}"


def _default_name(main: Path, bookmark: str | None) -> str:
    words = main.name if bookmark is None else f"{main.name}-{bookmark}"
    plain = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._+-]+", "-", words))
    return plain.strip(".-+").removesuffix(".lock") or "project"


def _check_name_is_new(name: str, state: Path, projects: Sequence[Project]) -> None:
    listed = config.registered().get(name)
    if listed is None or listed.resolve() == state.resolve():
        return
    taken = next((project for project in projects if project.name == name), None)
    of = f"of {taken.main_tree} and {taken.bookmark}" if taken else f"whose superdataset is gone ({listed})"
    forget = "" if taken else f", or give that up: wtwatch forget {name}"
    raise UsageError(
        f"There is a project {name!r} already, {of}.",
        f"Give this one another name: --name {name}-2{forget}",
    )


def _forgotten(main: Path, bookmark: str) -> Project | None:
    """Return the project of this bookmark that was here before, for its name and settings."""
    for file in sorted((Repo(main).common_dir() / "wtwatch").glob("*/config.toml")):
        before = config.read_project(file)
        if before.bookmark == bookmark:
            return before
    return None


def _tip(project: Project) -> tuple[Sha, bool]:
    """Return where the bookmark is, or will be (where the main tree's code is), and whether it is new."""
    code = Repo(project.main_code)
    targets = jj.bookmark(code.path, project.bookmark).targets if jj.drives(code.path) else ()
    if len(targets) > 1:
        raise UsageError(
            f"The bookmark {project.bookmark} is conflicted: jj has it at several commits.",
            f"Settle it: jj bookmark set {project.bookmark} -r REV   (in {code.path})",
        )
    found = code.resolve(project.bookmark_ref) or next(iter(targets), None)
    tip = found or code.resolve("HEAD")
    if tip is None:
        raise UsageError(f"{code.path} has no commit yet.", "Commit your code first.")
    return tip, found is None


def _make_bookmark(project: Project, tip: Sha) -> None:
    code = Repo(project.main_code)
    if jj.drives(code.path):
        jj.set_bookmark(code.path, project.bookmark, tip)
    else:
        code.git("branch", "--no-track", "--", project.bookmark, tip)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
