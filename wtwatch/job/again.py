"""What an attempt computed and git then refused to commit: the next attempt saves it, and runs nothing.

A hook or a signature may refuse a result, or a disk be full. What was computed is good all the same, as long
as it is there and what it was made from has not changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.dataset import OUR_KEY
from wtwatch.doors.porcelain import Change
from wtwatch.doors.repo import Repo
from wtwatch.job import resuming, verdict
from wtwatch.job.attempt import CommandEnd, Folder, Order
from wtwatch.job.expiry import drop_empty_parents
from wtwatch.job.readiness import Demands, reaches_into
from wtwatch.project.tree import RunTree
from wtwatch.tree import diff
from wtwatch.tree.states import added
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, Sha
from wtwatch.words.resources import without_wishes


class Computed(NamedTuple):
    """What an attempt computed: the plan of that, how its command ended, and what it changed, by datasets."""

    plan: dict[str, Any]
    end: CommandEnd
    changes: tuple[tuple[str, Change], ...]


def of(folder: Folder) -> Computed | None:
    """Return what an attempt computed whose results git refused, if it is one."""
    plan, end, before, after = folder.plan(), folder.command(), folder.before(), folder.after()
    if not folder.was_refused() or plan is None or end is None or before is None or after is None:
        return None
    paths = [state.path for state in after.datasets]
    return Computed(
        plan, end, tuple((path, change) for path in paths for change in added(before, after, path))
    )


def before(tree: RunTree, job: Job, demanded: Demands, base: Sha) -> Folder | None:
    """Return the attempt before this one if what it computed can be saved as it is, on ``base``.

    It can if job and code are the same, all of it is still there, and what changed since in the superdataset
    meets neither the job's inputs nor what it made. What a job reads without saying so is not known.
    """
    earlier = Folder.of(tree.project.state, job.id, job.attempt - 1)
    order, found = earlier.order(), of(earlier)
    if order is None or found is None:
        return None
    if without_wishes(order.spec) != without_wishes(job.spec) or order.code_sha != demanded.code_sha:
        return None
    place = place_of(tree, earlier)
    if not all(_is_there(place, path, change) for path, change in found.changes):
        return None
    made = [os.path.join(path, change.path) for path, change in found.changes]  # noqa: PTH118 - words alone
    since = [change.path for change in diff.between(Repo(tree.path), order.base, base)]
    of_code = {demanded.code_path} if not demanded.paths else set()
    return None if any(_meets(path, demanded, made) for path in since if path not in of_code) else earlier


def place_of(tree: RunTree, earlier: Folder) -> Path:
    """Return where what an attempt left lies, beside the run tree."""
    return tree.shelf / "jobs" / earlier.path.name


def _is_there(place: Path, path: str, change: Change) -> bool:
    return change.unstaged == "D" or os.path.lexists(place / path / change.path)


def _meets(changed: str, demanded: Demands, made: list[str]) -> bool:
    """Return whether a path that changed is, or has to do with, an input or output of the job."""
    declared = (*demanded.spec.inputs, *demanded.spec.outputs, *made)
    return any(
        verdict.is_below(changed, one, demanded) or reaches_into(one, changed, demanded.top)
        for one in declared
    )


def plan(found: Computed, order: Order) -> dict[str, Any]:
    """Return the plan with the name of the attempt that saves it."""
    record = found.plan["record"]
    return found.plan | {"record": record | {OUR_KEY: record[OUR_KEY] | {"attempt": order.uuid}}}


def lay_out(run_tree: Path, found: Computed, place: Path) -> None:
    """Have the tree be as the command left it; may raise :class:`WtwatchError` or :class:`OSError`."""
    for path, change in found.changes:
        if change.unstaged == "D":
            gone = run_tree / path / change.path
            gone.unlink(missing_ok=True)
            drop_empty_parents(gone.parent, run_tree / path)
    for path, change in _files(found):
        resuming.put_back(run_tree / path, place / path, (change.path,))
        _lead_to_content(run_tree / path, run_tree / path / change.path)


def _files(found: Computed) -> Iterator[tuple[str, Change]]:
    for path, change in found.changes:
        if change.path.endswith("/") or change.gitlink:
            raise WtwatchError(f"{change.path} is a repository of its own, which cannot be put back.")
        if change.unstaged != "D":
            yield path, change


def _lead_to_content(dataset: Path, file: Path) -> None:
    """Make a link whole that git-annex had made of a file: on the shelf it leads to the content directly."""
    if not file.is_symlink() or not file.readlink().is_absolute():
        return
    _, inside, content = str(file.readlink()).partition("/annex/objects/")
    if inside:
        target = os.path.relpath(dataset / ".git/annex/objects" / content, file.parent)
        file.unlink()
        file.symlink_to(target)
