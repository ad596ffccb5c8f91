"""From a recipe to its jobs, as the dataset is now."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from wtwatch.project.config import Project
from wtwatch.queue import axes, checks, orders
from wtwatch.queue.axes import Axis, Found
from wtwatch.queue.recipe import Recipe
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec, counted
from wtwatch.words.quoting import quoted

MOST = 1_000_000
"""Combinations beyond which a file holds a mistake."""


class Expansion(NamedTuple):
    """The jobs of a recipe, and the names in the dataset of which none is made: see :class:`axes.Found`."""

    specs: tuple[JobSpec, ...]
    odd: tuple[str, ...] = ()


def expand(recipe: Recipe, project: Project) -> Expansion:
    """Return the jobs of a recipe that somebody loads; raises :class:`UsageError` for what cannot be meant.

    An axis that is looked for is looked for in the run tree, where jobs run.
    """
    found = {axis.name: axes.look(project.run_tree, axis) for axis in recipe.axes}
    for axis in recipe.axes:
        _check(recipe, project, axis, found[axis.name])
    made = _expanded(recipe, project, found)
    if not made:
        raise recipe.source.wrong("exclude", "it leaves no job.", "Take out what is too much.")
    return Expansion(made)


def anew(recipe: Recipe, project: Project) -> Expansion:
    """Return the jobs of a recipe at a move: there may be none; what a shell would read otherwise is odd."""
    found = {axis.name: axes.look(project.run_tree, axis) for axis in recipe.axes}
    odd = tuple(name for one in found.values() for name in one.odd)
    return Expansion(_expanded(recipe, project, found), odd)


def _check(recipe: Recipe, project: Project, axis: Axis, found: Found) -> None:
    key = f"each.{axis.name}"
    if found.odd:
        raise recipe.source.wrong(
            key,
            f"it finds {found.odd[0]!r}, a name that a shell reads otherwise.",
            "Give it another name, or list the values that you mean: " + f'{axis.name} = ["A", "B"]',
        )
    if found.values or axis.glob is None:
        return
    hint = f"See what is there: ls {quoted(project.run_tree)}"
    if there := axes.look(project.main_tree, axis).values:
        hint = f"The main tree has {len(there)}: save that there, and `wtwatch sync --from-main` brings it."
    raise recipe.source.wrong(key, f"{axis.glob!r} finds nothing in the run tree.", hint)


def _expanded(recipe: Recipe, project: Project, found: Mapping[str, Found]) -> tuple[JobSpec, ...]:
    source, values = recipe.source, {name: one.values for name, one in found.items()}
    if (number := prod(map(len, values.values()))) > MOST:
        raise source.wrong("each", f"that makes {number:,} jobs.", "Split it into several files.")
    rows = axes.rows(list(values), values, recipe.rules)
    added = len(recipe.rules.include)
    twice = [row for row in rows[len(rows) - added :] if rows.count(row) > 1]
    if twice:
        named = ", ".join(f"{name} = {value}" for name, value in twice[0].items())
        raise source.wrong("include", f"{named} is there already.", "Take it out.")
    if not rows:
        return ()
    try:
        specs = orders.expand_rows(recipe.request, rows, project)
    except UsageError as error:
        raise source.wrong(error.about or "command", error.message, error.hint) from error
    if (place := checks.meeting_place(specs)) is not None:
        raise source.wrong(
            "outputs",
            f"more than one of its {counted(len(specs), 'job')} makes {place!r}.",
            "Write each name of [each] into the outputs, so that no output lies in another's.",
        )
    return tuple(resources.with_wishes(spec._replace(if_stale=recipe.stale), recipe.want) for spec in specs)
