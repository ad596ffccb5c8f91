"""A path of a project: in which tree it lies, and in which of the tree's nested datasets it is tracked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import UsageError, WtwatchError


class TrackedPath(NamedTuple):
    """A tracked path: its tree, and each dataset on the way down to it with the path from there on.

    The first dataset is the superdataset, which is ``top`` itself.
    """

    top: Path
    datasets: tuple[tuple[Repo, str], ...]

    @property
    def path(self) -> str:
        """The path from the top of the tree."""
        return self.datasets[0][1]


def place_of(project: Project, path: Path) -> TrackedPath:
    """Return a path as a place in a tree of the project; raises :class:`UsageError` if it lies in none."""
    where = Path(os.path.realpath(path.parent)) / path.name  # the file itself may be a link into the annex
    lane = RunTree.lane_at(project, where)
    for top, root in (
        *((top, Path(os.path.realpath(top))) for top in (project.run_tree, project.main_tree)),
        *([(project.run_tree, lane.path.resolve())] if lane else []),  # where what it makes comes to lie
    ):
        if where == root:
            raise UsageError(f"{top} is a whole tree.", "How it stands: wtwatch status")
        if where.is_relative_to(root):
            return in_tree(top, where.relative_to(root).as_posix())
    raise UsageError(
        f"{path} lies neither in {project.main_tree} nor in {project.run_tree}.",
        "wtwatch show takes a job (3), a batch (b3), standing jobs (s1), a backup's id, or a path in there.",
    )


def in_tree(top: Path, path: str) -> TrackedPath:
    """Return a path from the top of a tree as a place in it."""
    return TrackedPath(top, tuple(_way_down(Repo(top), path)))


def _way_down(repo: Repo, path: str) -> Iterator[tuple[Repo, str]]:
    """Yield the datasets that lead to a path, by the gitlinks of HEAD, and the path from each."""
    yield repo, path
    parts = path.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    with suppress(WtwatchError):  # HEAD names no commit yet
        links = (
            [entry.path for entry in repo.tree("HEAD", *above).values() if entry.mode == GITLINK]
            if above
            else []
        )
        for link in links:
            if (repo.path / link / ".git").exists():
                yield from _way_down(Repo(repo.path / link), path.removeprefix(f"{link}/"))
                return
