"""What `init` found in a superdataset, and what it chose: read once, and short."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj
from wtwatch.project.config import DEFAULT_PREFIX, Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import pathlayout
from wtwatch.setup.dotgit import is_annexed
from wtwatch.setup.githooks import JJ_HOOK, Fitting, HookState
from wtwatch.setup.init import Making
from wtwatch.tree.environment.kinds import OFFERS, kind_of, passed_over
from wtwatch.views.factlines import fact
from wtwatch.views.terminal import folded
from wtwatch.words.model import counted
from wtwatch.words.quoting import quoted


class Found(NamedTuple):
    """What was found and chosen.

    ``environment`` is in words, ``unhandled`` are files of kinds that are known and not looked after,
    ``annexes`` how many datasets have one. ``empty`` are subdatasets that are not installed.
    """

    project: Project
    trees: tuple[int, int]
    known: bool
    code: str
    bookmark: str
    environment: str
    hooks: str
    annexes: int
    unhandled: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


def look(making: Making, hooks: Sequence[HookState] | None) -> Found:
    """Return what `init` found and chose, once that is made; ``hooks`` is ``None`` where none were wanted."""
    project, layout = making.project, making.layout
    subject = f"{project.bookmark} → {making.tip[:10]}"
    return Found(
        project,
        (len(layout.missing), len(layout.present)),
        making.known,
        f"{_code(project)}, driven by {_driver(project)}",
        f"{subject}, made now" if making.new_bookmark else subject,
        _environment(project),
        _hooks(project, hooks),
        sum(map(is_annexed, layout.trees)),
        _unhandled(project),
        layout.empty,
    )


def lines(found: Found, columns: int | None) -> Iterator[str]:
    """Yield what is to be read of that."""
    yield from folded(_first(found), columns, indent="  ")
    if found.known:
        return
    yield from fact("code", found.code, columns)
    yield from fact("bookmark", found.bookmark, columns)
    yield from fact("environment", found.environment, columns)
    if found.unhandled:
        offer = OFFERS[found.unhandled[0]]
        yield from fact("", f"not looked after: {', '.join(found.unhandled)}. For {offer.by}:", columns)
        yield f"    wtwatch init --env {quoted(offer.command)}"
        if offer.prefix != DEFAULT_PREFIX:
            yield f"    wtwatch config env_prefix {offer.prefix}"
    yield from fact("hooks", found.hooks, columns)
    yield from fact("annex", _annex(found.annexes), columns)
    if found.empty:
        main, more = found.project.main_tree, len(found.empty) - 1
        named = found.empty[0] + (f" and {more} more" if more else "")
        yield from fact("left empty", f"{named}, as in the main tree; for both:", columns)
        yield f"    datalad get -n -d {quoted(main)} {quoted(main / found.empty[0])}; wtwatch init"


def _first(found: Found) -> str:
    project, (made, there) = found.project, found.trees
    if made and not there:
        return f"Made the run tree {project.run_tree}: {counted(made, 'worktree')}."
    if made:
        return f"Adopted the run tree {project.run_tree}: {there} worktrees were there, {made} were missing."
    if found.known:
        return f"{project.name} was set up already; all {there} worktrees of {project.run_tree} are there."
    return f"Adopted the run tree {project.run_tree}: all {there} worktrees are there."


def _code(project: Project) -> str:
    """Return what was taken for code."""
    if not project.paths:
        return f"the subdataset {project.code}"
    numbers = [(path, pathlayout.number_of_files(project.main_tree, path)) for path in project.paths]
    named = ", ".join(f"{path} ({counted(number, 'file')})" for path, number in numbers)
    return f"{named} of the superdataset itself"


def _driver(project: Project) -> str:
    if not jj.drives(project.main_code):
        return "git"
    return f"jj, {'' if jj.is_colocated(project.main_code) else 'not '}colocated with git"


def _environment(project: Project) -> str:
    if project.environment == "none":
        return "none is looked after, as was asked"
    if project.environment != "auto":
        return f"by your command: {project.environment}"
    tree = RunTree.of(project)
    kind = kind_of(tree)
    if kind.problem:
        return f"not set up: {kind.problem}"
    if not kind.commands and passed_over(tree):
        return "none of a kind that wtwatch looks after by itself"
    if not kind.commands:
        return "none: no pyproject.toml with a [project], and no requirements.txt"
    has_project = kind.name == "uv.lock" and (tree.code_folder / "pyproject.toml").exists()
    seen = f"pyproject.toml and {kind.name}" if has_project else kind.name
    place = "uv's own" if kind.elsewhere else _in_words(tree.prefix, project)
    return f"{place}, by {kind.tools[-1]} from {seen}"


def _in_words(place: Path, project: Project) -> str:
    return str(place.relative_to(project.run_tree))


def _unhandled(project: Project) -> tuple[str, ...]:
    return tuple(kind.name for kind in passed_over(RunTree.of(project)))


def _hooks(project: Project, hooks: Sequence[HookState] | None) -> str:
    if hooks is None:
        return "none, as was asked: moves are noticed without them"
    ours = [one for one in hooks if one.name != JJ_HOOK]
    ring = [one for one in ours if one.state in (Fitting.INSTALLED, Fitting.BY_HAND)]
    said = f"{len(ring)} of git's ring the daemon's bell"
    if len(ring) < len(ours):
        said += f", {len(ours) - len(ring)} cannot (see below)"
    return f"{said}; jj's operations are watched" if jj.drives(project.main_code) else said


def _annex(number: int) -> str:
    if not number:
        return "none"
    return f"one for both trees ({counted(number, 'dataset')}): nothing is copied"


def advice(hooks: Collection[HookState]) -> Iterator[str]:
    """Yield what is to be done by hand for hooks that do not ring, each once."""
    yield from dict.fromkeys(one.advice for one in hooks if one.advice and one.state is not Fitting.INSTALLED)
