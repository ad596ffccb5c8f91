"""Which project an `init` means: from what was asked, where one stands, and what is there already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.project import config, listing
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import maintree, pathlayout
from wtwatch.setup.dotgit import is_linked
from wtwatch.words.errors import UsageError
from wtwatch.words.quoting import quoted


class Asked(NamedTuple):
    """What was asked for; ``None`` leaves the choice to wtwatch, or to what the project has already.

    ``code`` is one path, or several.
    """

    run_tree: Path | None = None
    bookmark: str | None = None
    code: str | tuple[str, ...] | None = None
    env: str | None = None
    carry: tuple[str, ...] | None = None
    name: str | None = None


def choose(start: Path, asked: Asked, projects: Sequence[Project]) -> tuple[Project, bool]:
    """Return the project that is meant in the folder ``start``, and whether it is there already.

    ``projects`` are all that can be read. Raises :class:`UsageError` if nothing can be meant.
    """
    given = (asked.code,) if isinstance(asked.code, str) else asked.code or ()
    paths = tuple(dict.fromkeys(map(maintree.code_path, given)))
    around = [tree.resolve() for tree in maintree.trees_around(start)]
    for tree in around:
        stood_in = next((one for one in projects if _is_of(one, tree)), None)
        if stood_in is not None:
            asked = asked._replace(bookmark=stood_in.bookmark if asked.bookmark is None else asked.bookmark)
            return _of(stood_in.main_tree, start, asked, paths, projects)
        if any(one.main_tree.resolve() == tree for one in projects):
            return _of(tree, start, asked, paths, projects)
    tree = maintree.find(start, paths[0] if paths else "code").resolve()
    if is_linked(tree):
        main = next(iter(Repo(tree).worktrees()))
        raise UsageError(
            f"{tree} is a linked worktree of {main}, and a project starts from that.",
            f"cd {quoted(main)}, then wtwatch init; to make this its run tree: --run-tree {quoted(tree)}",
        )
    return _of(tree, start, asked, paths, projects)


def _is_of(project: Project, tree: Path) -> bool:
    """Return whether a tree is the run tree of a project, or a lane beside that."""
    lane = RunTree.lane_at(project, tree)
    return tree in (project.run_tree.resolve(), lane and lane.path.resolve())


class _Code(NamedTuple):
    """What the code of a project is, and the branches that go with that."""

    code: str
    paths: tuple[str, ...]
    bookmark: str
    branch: str


def _code(main: Path, asked: Asked, paths: tuple[str, ...], mine: Sequence[Project]) -> _Code:
    """Return what is meant by code: a subdataset if there is one, else paths of the superdataset."""
    named = paths or (mine[0].code_paths if mine else ())
    if not named:
        named = ("code",) if maintree.has_subdataset(main, "code") else pathlayout.found_in(main) or ("code",)
    if paths and len(mine) == 1 and asked.bookmark is None and not (main / paths[0]).exists():
        raise UsageError(f"The code of {mine[0].name} is in {mine[0].code!r}.", "Leave --code out.")
    plain = (main / named[0]).exists() and not (main / named[0] / ".git").exists()
    if len(named) == 1 and (maintree.has_subdataset(main, named[0]) or not plain):
        return _Code(named[0], (), asked.bookmark or "runs", "")
    bookmark = asked.bookmark or pathlayout.BOOKMARK
    branch = pathlayout.RUN_BRANCH if bookmark == pathlayout.BOOKMARK else f"{bookmark}-results"
    return _Code(" ".join(named), named, bookmark, branch)


def _of(
    main: Path, start: Path, asked: Asked, paths: tuple[str, ...], projects: Sequence[Project]
) -> tuple[Project, bool]:
    mine = [project for project in projects if project.main_tree.resolve() == main.resolve()]
    code = _code(main, asked, paths, mine)
    bookmark = code.bookmark if asked.bookmark is None else asked.bookmark
    for project in mine:
        if project.bookmark == bookmark:
            return _again(project, start, asked, paths), True
    _check_apart(code._replace(bookmark=bookmark), mine)
    usual = asked.name or _default_name(main, bookmark if mine else None)
    before = _forgotten(main, bookmark, usual)
    name = asked.name or (before.name if before else usual)
    config.check_name(name)
    state = Repo(main).common_dir() / "wtwatch" / name
    _check_name_is_new(name, state, projects)
    run_tree = _run_tree(main, start, asked, code.branch or bookmark, before)
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
        code=code.code,
        paths=code.paths,
        run_branch=code.branch,
        environment=_environment(asked, before.environment if before else "auto"),
        host=config.host(),
        main_branch=Repo(main).branch() or "",
        carry=_carry(asked, before.carry if before else ()),
    )
    if before is None:
        return chosen, False
    changes = {key: getattr(chosen, key) for key in ("name", "state", *config.MAIN_SETTINGS, "carry")}
    return before._replace(**changes), False


def _check_apart(code: _Code, mine: Sequence[Project]) -> None:
    """Refuse code that lies in that of another project, and a branch that has two meanings."""
    results = code.branch or code.bookmark
    paths = code.paths or (code.code,)
    for other in mine:
        if code.bookmark == other.branch or results in (other.bookmark, other.branch):
            taken = code.bookmark if code.bookmark == other.branch else results
            what = "the branch for results" if taken == other.branch else "the bookmark"
            raise UsageError(
                f"{taken} is {what} of the project {other.name}.", "Choose another name: --bookmark NAME."
            )
        if set(paths) == set(other.code_paths) or not (code.paths or other.paths):
            continue
        both = [path for path in paths if any(_overlap(path, theirs) for theirs in other.code_paths)]
        if both:
            same = " ".join(f"--code {quoted(path)}" for path in other.code_paths)
            raise UsageError(
                f"{both[0]} overlaps the code of the project {other.name}, but is not all of it.",
                f"Name the same ({same}), or other paths.",
            )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _again(project: Project, start: Path, asked: Asked, paths: tuple[str, ...]) -> Project:
    """Return a project that is there already, with what was asked for anew."""
    if asked.run_tree is not None and (start / asked.run_tree).resolve() != project.run_tree.resolve():
        raise UsageError(
            f"{project.name} follows {project.bookmark} in {project.run_tree} already.",
            "One bookmark has one run tree: give another --bookmark, or `wtwatch forget` the project first.",
        )
    if asked.name not in (None, project.name):
        raise UsageError(
            f"This superdataset and bookmark are the project {project.name!r}.", "Leave --name out."
        )
    if paths and paths != project.code_paths:
        raise UsageError(f"The code of {project.name} is in {project.code!r}.", "Leave --code out.")
    environment = _environment(asked, project.environment)
    return project._replace(environment=environment, carry=_carry(asked, project.carry), host=config.host())


def _carry(asked: Asked, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns of files to carry: what was asked for besides those that are set."""
    for pattern in asked.carry or ():
        config.check_carried(pattern)
    return tuple(dict.fromkeys((*default, *(asked.carry or ()))))


def _environment(asked: Asked, default: str) -> str:
    if asked.env is not None and not asked.env.strip():
        raise UsageError("--env is empty.", "Give auto, none, or a command that sets code/.venv up.")
    return asked.env or default


def _run_tree(main: Path, start: Path, asked: Asked, bookmark: str, before: Project | None) -> Path:
    if asked.run_tree is not None:
        return (start / asked.run_tree).resolve()
    if before is not None and (before.run_tree / ".git").exists():
        return before.run_tree.resolve()
    # beside the outermost dataset: inside of one, it would show there as untracked
    return maintree.outermost(main).parent.resolve() / f"{main.name}-{bookmark.replace('/', '-')}"


def _default_name(main: Path, bookmark: str | None) -> str:
    words = main.name if bookmark is None else f"{main.name}-{bookmark}"
    plain = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._+-]+", "-", words))
    return plain.strip(".-+").removesuffix(".lock") or "project"


def _check_name_is_new(name: str, state: Path, projects: Sequence[Project]) -> None:
    listed = listing.registered().get(name)
    if listed is None or listed.resolve() == state.resolve():
        return
    taken = next((project for project in projects if project.name == name), None)
    of = f"of {taken.main_tree} and {taken.bookmark}" if taken else f"whose superdataset is gone ({listed})"
    forget = "" if taken else f", or give that up: wtwatch forget {name}"
    raise UsageError(
        f"There is a project {name!r} already, {of}.",
        f"Give this one another name: --name {name}-2{forget}",
    )


def _forgotten(main: Path, bookmark: str, name: str) -> Project | None:
    """Return the project of this bookmark that was here before, for its name and settings.

    Raises :class:`UsageError` if the settings of the project ``name`` cannot be read; others are passed over.
    """
    for file in sorted((Repo(main).common_dir() / "wtwatch").glob("*/config.toml")):
        try:
            before = config.read_project(file)
        except UsageError:
            if file.parent.name == name:
                raise
            continue
        if before.bookmark == bookmark:
            return before
    return None
