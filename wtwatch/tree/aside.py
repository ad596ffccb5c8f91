"""What was set aside on the shelf beside the run tree: replaced environments, folders of backups."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.project.tree import RunTree
from wtwatch.words.errors import Busy

_TIME = "%Y%m%dT%H%M%S%f"


class SetAside(NamedTuple):
    """An environment that was replaced; its id is the name of its folder, which is when that was done."""

    id: str
    path: Path
    made: datetime


def environments(tree: RunTree) -> list[SetAside]:
    """Return the environments that were set aside and have not been put back, oldest first."""
    found = []
    for folder in sorted((tree.shelf / "environments").glob("*")):
        with suppress(ValueError):  # something that somebody else put there
            made = datetime.strptime(folder.name, _TIME).replace(tzinfo=UTC)
            found.append(SetAside(folder.name, folder, made))
    return found


def weight(folder: Path) -> tuple[int, int]:
    """Return how many files lie in a folder, and their bytes; those that cannot be seen are left out."""
    files = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - 24,000 of them
                files += 1
    return files, size


def check_drop(tree: RunTree, environment: SetAside) -> None:
    """Raise :class:`Busy` for an environment that may be put back yet: a new one is being made."""
    under_way = tree.journal("environment").read()
    if under_way and Path(under_way["aside"]) == environment.path:
        raise Busy(
            f"The environment {environment.id} was just set aside, and the new one is not right yet.",
            "Wait until `wtwatch status` says that the environment is ok.",
        )


def remove(folder: Path) -> None:
    """Delete a folder of the shelf, or what a folder's name stands for, with all in it."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder)
