"""Which projects there are, and which of them a command means: those of this place, or by name."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.project import config, listing
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import UsageError, WtwatchError


class Broken(NamedTuple):
    """A registered project that cannot be used, and why; ``trees`` is where it is or was."""

    name: str
    trees: tuple[Path, ...]
    error: WtwatchError


class Known(NamedTuple):
    """All registered projects: those that can be read, and those that cannot."""

    projects: tuple[Project, ...]
    broken: tuple[Broken, ...]


def here() -> Path:
    """Return the folder that the user stands in; raises :class:`UsageError` if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError("The folder you stand in is gone.", "cd somewhere else.") from error


def known() -> Known:
    """Return all registered projects; one that is broken does not keep the others from being used."""
    projects, broken = [], []
    for name, state in listing.registered().items():
        trees: tuple[Path, ...] = (state.parents[2],) if len(state.parents) > 2 else ()
        try:
            project = _read(name, state)
            trees = (project.main_tree, project.run_tree)
            projects.append(_present(project))
        except WtwatchError as error:
            broken.append(Broken(name, trees, error))
    return Known(tuple(projects), tuple(broken))


def by_name(name: str) -> Project:
    """Return the registered project of that name; raises :class:`WtwatchError` if it cannot be used."""
    listed = listing.registered()
    if name not in listed:
        names = ", ".join(listed) or "none yet: `wtwatch init` in a main tree makes the first"
        raise UsageError(f"There is no project {name!r}.", f"{_alike(name, listed)}Registered are: {names}.")
    return _present(_read(name, listed[name]))


def _alike(name: str, listed: Iterable[str]) -> str:
    from difflib import get_close_matches

    alike = get_close_matches(name, listed, n=1)
    return f"Did you mean {alike[0]}? " if alike else ""


def _read(name: str, state: Path) -> Project:
    project = load(state)
    if project.name != name:
        raise WtwatchError(
            f"{name} is registered with {state}, but that is the state of {project.name}.",
            f"wtwatch forget {name}",
        )
    return project


def _present(project: Project) -> Project:
    if (project.main_code / ".git").exists():
        return project
    raise WtwatchError(
        f"{project.main_code} of the project {project.name} is gone.",
        _gone(project.name),
    )


def _gone(name: str) -> str:
    return (
        "Mount its disk; if it was moved: `wtwatch init` in its new place; "
        f"if it was deleted: wtwatch forget {name}"
    )


def states_in(common: Path) -> list[Path]:
    """Return the folders of state that lie in the git directory ``common``, read or not."""
    return sorted(file.parent for file in (common / "wtwatch").glob("*/config.toml"))


def _moved_here() -> tuple[Broken, ...]:
    """Return the projects whose main tree one stands in, though their settings name another place."""
    found = []
    for folder in (here(), *here().parents):
        for state in states_in(folder / ".git"):
            try:
                project = config.read_project(state / "config.toml")
            except WtwatchError:
                continue
            if (project.main_tree / ".git").exists():
                continue
            error = WtwatchError(
                f"{project.main_tree} is gone, and {folder} holds the state of its project {project.name}.",
                "Was it moved? Then write all paths anew: wtwatch init",
            )
            found.append(Broken(project.name, (folder,), error))
    return tuple(found)


def meant(name: str | None, everywhere: bool = True) -> Known:
    """Return the projects that `status` means: named, else those here, else all if ``everywhere``."""
    if name is not None:
        return Known((by_name(name),), ())
    every = known()
    local = tuple(projects_at(here(), every.projects))
    broken = _broken_here(every)
    return Known(local, broken) if local or broken or not everywhere else every


def of_this_place(name: str | None) -> Known:
    """Return the projects that `sync` means: named, else those of this place; raises :class:`UsageError`."""
    found = meant(name)
    if name is None and not projects_at(here(), found.projects) and not _broken_here(found):
        raise _nowhere()
    return found


def one(name: str | None) -> Project:
    """Return the one project that a command means; raises :class:`UsageError` if that is not clear."""
    if name is not None:
        return by_name(name)
    every = known()
    local = projects_at(here(), every.projects)
    broken = _broken_here(every)
    if len(local) + len(broken) > 1:
        names = ", ".join([*(project.name for project in local), *(found.name for found in broken)])
        raise UsageError("Several projects share this main tree.", f"Say which with --project: {names}.")
    if broken:
        raise broken[0].error
    if local:
        return local[0]
    raise _nowhere()


def need_run_tree(project: Project) -> None:
    """Raise :class:`WtwatchError` if the run tree is not there."""
    if not (project.run_tree / ".git").exists():
        raise WtwatchError(
            f"The run tree {project.run_tree} is gone.",
            "Mount its disk, or make it anew: `wtwatch init` in the main tree.",
        )


def _nowhere() -> UsageError:
    gone = ", ".join(found.name for found in known().broken)
    also = f" Registered, but gone or unreadable: {gone} (`wtwatch status` says why)." if gone else ""
    return UsageError(
        f"{here()} lies in no main or run tree that wtwatch knows.",
        f"Go there, or give --project NAME; `wtwatch init` in a main tree makes a project.{also}",
    )


def _broken_here(every: Known) -> tuple[Broken, ...]:
    broken = tuple(one for one in every.broken if any(here().is_relative_to(tree) for tree in one.trees))
    return broken or _moved_here()


def load(state: Path) -> Project:
    """Return the project whose state lies in ``state``; raises :class:`WtwatchError`."""
    if not (state / "config.toml").exists():
        raise WtwatchError(
            f"The registered project {state.name} is gone: {state} has no config.toml.",
            _gone(state.name),
        )
    return config.read_project(state / "config.toml")


def projects_at(folder: Path, projects: Sequence[Project]) -> list[Project]:
    """Return those projects in whose main or run tree ``folder`` lies; the run tree's own one alone, if any.

    A lane is as its run tree. Where trees are nested in each other, the innermost counts.
    """
    here = folder.resolve()
    homes: dict[Path, list[Project]] = {}
    for project in projects:
        lane = RunTree.lane_at(project, here)
        for tree in (project.run_tree, project.main_tree, *([lane.path] if lane else [])):
            root = tree.resolve()
            if here.is_relative_to(root):
                homes.setdefault(root, []).append(project)
    if not homes:
        return []
    return homes[max(homes, key=lambda root: len(root.parts))]
