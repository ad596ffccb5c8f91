"""``wtwatch init``: make or adopt a run tree, and watch it."""

from __future__ import annotations

import importlib.util
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import click

from wtwatch import config, environment, githooks, jj, reconcile, worktrees
from wtwatch.commands.front import everything, here, ring_for, say
from wtwatch.config import Project
from wtwatch.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.model import Sha
from wtwatch.repo import Repo
from wtwatch.worktrees import Layout


@dataclass(frozen=True)
class Wish:
    """What was asked for; ``None`` leaves the choice to wtwatch, or what it is for a project that exists."""

    run_tree: Path | None
    bookmark: str
    code: str
    env: str | None
    name: str | None


@click.command("init")
@click.option(
    "--run-tree", type=click.Path(path_type=Path), help="where (default: beside the outermost dataset)"
)
@click.option("--bookmark", default="runs", show_default=True, help="the bookmark that the run tree follows")
@click.option("--code", default="code", show_default=True, help="the subdataset that the code is in")
@click.option(
    "--env", metavar="auto|none|COMMAND", help="what sets code/.venv up (default: auto, which uses uv)"
)
@click.option("--name", help="the project's name (default: the superdataset's)")
@click.option(
    "--no-hooks", is_flag=True, help="install no git hooks; the daemon notices moves without them too"
)
def command(  # noqa: PLR0913, PLR0917 - the contract's options
    run_tree: Path | None, bookmark: str, code: str, env: str | None, name: str | None, no_hooks: bool
) -> None:
    """Make a run tree for the superdataset you stand in, or adopt the one that is there."""
    wish = Wish(run_tree, bookmark, Path(code).as_posix().rstrip("/"), env, name)
    _check_tools()
    main = worktrees.find_superdataset(here(), wish.code).resolve()
    worktrees.check_main(main, wish.code, bookmark)
    project, known = _choose(main, wish)
    tip = _tip_to_be(project)
    layout = worktrees.survey(main, project.run_tree, project.code, bookmark, tip)
    _check_environment(project)
    try:
        worktrees.make(layout, _reason(project))
    except CommandFailed as error:
        raise WtwatchError(
            f"The run tree could not be made, and nothing is left of it:\n{error.stderr.strip()}",
            "It would have been:\n" + _in_words(layout),
        ) from error
    worktrees.lock([*layout.present, *(wanted.path for wanted in layout.missing)], _reason(project))
    _make_bookmark(project, tip)
    project.state.mkdir(parents=True, exist_ok=True)
    project.state.chmod(0o700)
    config.write_project(project)
    config.register(project.name, project.state)
    _tell(project, layout, known)
    if not no_hooks:
        _install_hooks(project)
    _first_sync(project)


def _check_tools() -> None:
    if importlib.util.find_spec("datalad") is None:
        raise WtwatchError(
            "DataLad is not installed beside wtwatch.", "pip install datalad, in the same environment."
        )
    try:
        Repo(Path("/")).git("annex", "version", "--raw")
    except CommandFailed as error:
        raise WtwatchError(
            f"git-annex does not run: {error.stderr.strip()}",
            "pip install git-annex, in the environment of wtwatch, or install your system's package.",
        ) from error


def _choose(main: Path, wish: Wish) -> tuple[Project, bool]:
    """Return the project to be, and whether it is there already."""
    projects = everything()
    mine = [project for project in projects if project.main_tree.resolve() == main]
    for project in mine:
        if project.bookmark == wish.bookmark:
            return _again(project, wish), True
    base = worktrees.outermost(main).parent
    safe = wish.bookmark.replace("/", "-")
    name = wish.name or (main.name if not mine else f"{main.name}-{safe}")
    config.check_name(name)
    taken = next((project for project in projects if project.name == name), None)
    if taken is not None:
        raise UsageError(
            f"There is a project {name!r} already, of {taken.main_tree} and {taken.bookmark}.",
            f"Give this one another name: --name {name}-2",
        )
    run_tree = (here() / wish.run_tree if wish.run_tree else base / f"{main.name}-{safe}").resolve()
    other = next((project for project in projects if project.run_tree.resolve() == run_tree), None)
    if other is not None:
        raise UsageError(
            f"{run_tree} is the run tree of {other.name}.", "Give another place: --run-tree PATH."
        )
    state = Repo(main).common_dir() / "wtwatch" / name
    before = config.read_project(state / "config.toml") if (state / "config.toml").exists() else None
    project = Project(
        name=name,
        state=state,
        main_tree=main,
        run_tree=run_tree,
        bookmark=wish.bookmark,
        code=wish.code,
        environment=wish.env or (before.environment if before else "auto"),
        host=config.host(),
    )
    return project, False


def _again(project: Project, wish: Wish) -> Project:
    """Return a project that is there already, with what was asked for anew."""
    if wish.run_tree is not None and (here() / wish.run_tree).resolve() != project.run_tree.resolve():
        raise UsageError(
            f"{project.name} follows {project.bookmark} in {project.run_tree} already.",
            "One bookmark has one run tree: give another --bookmark, or `wtwatch forget` the project first.",
        )
    if wish.name not in (None, project.name):
        raise UsageError(
            f"This superdataset and bookmark are the project {project.name!r}.", "Leave --name out."
        )
    return replace(project, environment=wish.env or project.environment, host=config.host())


def _tip_to_be(project: Project) -> Sha:
    """Return where the bookmark is, or will be when it is made: at what the main tree's code is at."""
    code = Repo(project.main_code)
    found = code.resolve(project.bookmark_ref)
    if found is None and jj.drives(code.path):
        targets = jj.bookmark(code.path, project.bookmark).targets
        found = targets[0] if len(targets) == 1 else None
    tip = found or code.resolve("HEAD")
    if tip is None:
        raise UsageError(f"{code.path} has no commit yet.", "Commit your code first.")
    return tip


def _make_bookmark(project: Project, tip: Sha) -> None:
    code = Repo(project.main_code)
    if code.resolve(project.bookmark_ref) is not None:
        return
    if jj.drives(code.path):
        jj.set_bookmark(code.path, project.bookmark, tip)
    else:
        code.git("branch", "--no-track", project.bookmark, tip)


def _check_environment(project: Project) -> None:
    probe = replace(project, run_tree=project.main_tree)  # the run tree is not there yet
    environment.require_uv(probe)


def _reason(project: Project) -> str:
    return f"run tree of the wtwatch project {project.name}"


def _in_words(layout: Layout) -> str:
    return "\n".join(f"  {wanted}" for wanted in layout.missing)


def _tell(project: Project, layout: Layout, known: bool) -> None:
    made, there = len(layout.missing), len(layout.present)
    if made and not there:
        say(f"Made the run tree {project.run_tree}: {made} worktrees.")
    elif made:
        say(f"Adopted the run tree {project.run_tree}: {there} worktrees were there, {made} were missing.")
    elif known:
        say(f"{project.name} was set up already; all {there} worktrees of {project.run_tree} are there.")
    else:
        say(f"Adopted the run tree {project.run_tree}: all {there} worktrees are there.")
    for path in layout.empty:
        say(f"  {path} stays empty, as in the main tree (datalad get -n {shlex.quote(path)}).")


def _install_hooks(project: Project) -> None:
    hooks = githooks.install(project.main_code)
    for hook in hooks:
        if hook.advice and hook.state is not githooks.Fitting.INSTALLED:
            say(hook.advice)


def _first_sync(project: Project) -> None:
    done = reconcile.tick(project, reconcile.Wish())
    ring_for(project)
    if done.backup:
        say(f"Kept {done.backup.summary}: wtwatch backups show {done.backup.id}")
    if done.waits:
        raise WtwatchError(f"{project.name} is set up, but waits: {done.waits}", done.hint)
    say(f"{project.name} follows the bookmark {project.bookmark}.")
    say("Next: wtwatch service install (or wtwatch watch), wtwatch status.")
