"""Datasets that a job made in its lane: as whole folders they go aside at once, and into the run tree later.

Such a repository lies in the lane itself, and nowhere else. Its worktree moves with it, so all of it stays as
it is; in the run tree it is then as if the job had run there (:mod:`wtwatch.tree.nested`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from wtwatch.doors.files import sync_folder
from wtwatch.project.tree import RunTree
from wtwatch.tree import nested
from wtwatch.words.errors import WtwatchError
from wtwatch.words.quoting import quoted


def found(lane: RunTree) -> list[str]:
    """Return the places of the datasets that were made in a lane; of one in another the outer one."""
    outer: list[str] = []
    for path in nested.own(lane):
        if not any(path.startswith(f"{one}/") for one in outer):
            outer.append(path)
    return outer


def move_aside(lane: RunTree, name: str) -> Path | None:
    """Move what the attempt of that name made out of its lane; return where all of it is, if there is some.

    With the lane's lock held by the caller. Safe to be cut off and done again.
    """
    place = _place(lane, name)
    for path in found(lane):
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (lane.path / path).rename(target)
        sync_folder(target.parent)
    return place if place.is_dir() else None


def waiting(tree: RunTree, name: str) -> list[str]:
    """Return the places of the datasets of an attempt that lie aside."""
    place, found_there = _place(tree, name), list[str]()
    for folder, below, _ in os.walk(place):
        if os.path.lexists(f"{folder}/.git"):
            found_there.append(Path(folder).relative_to(place).as_posix())
            below.clear()
    return sorted(found_there)


def put_in(tree: RunTree, name: str, paths: Sequence[str]) -> None:
    """Put what an attempt made where the run tree names it now, with that tree's lock held by the caller.

    Safe to be cut off and done again. Raises :class:`WtwatchError` where something else lies there.
    """
    for path in paths:
        source, target = _place(tree, name) / path, tree.path / path
        if not os.path.lexists(source / ".git"):
            continue
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()  # git makes an empty folder for a subdataset
        if os.path.lexists(target):
            raise WtwatchError(
                f"{target} is in the way of the dataset {source}, which a job made.",
                f"Move {quoted(target)} away.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        sync_folder(target.parent)
    nested.take_in(tree, list(paths))
    _drop_empty(_place(tree, name))


def leave(tree: RunTree, name: str) -> Path | None:
    """Let what an attempt made lie where nobody looks for it any more; return where, if it made some."""
    place = _place(tree, name)
    if not place.is_dir():
        return None
    number, vacant = 1, place.with_name(f"{name}~1")
    while vacant.exists():
        number += 1
        vacant = place.with_name(f"{name}~{number}")
    place.rename(vacant)
    return vacant


def _place(tree: RunTree, name: str) -> Path:
    return tree.shelf / "made" / name


def _drop_empty(place: Path) -> None:
    for folder, _, _ in os.walk(place, topdown=False):
        if not os.listdir(folder):  # noqa: PTH208 - names alone
            Path(folder).rmdir()
