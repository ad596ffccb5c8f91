"""What an earlier attempt left of its outputs is put back for one that goes on where that stopped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from wtwatch.job import expiry
from wtwatch.job.attempt import Folder
from wtwatch.project.tree import RunTree


def kept(tree: RunTree, job: int, attempt: int) -> tuple[Path, tuple[str, ...]] | None:
    """Return where the newest attempt before this one left declared outputs, and which, if one did."""
    for earlier in range(attempt - 1, 0, -1):
        name = Folder.of(tree.project.state, job, earlier).path.name
        place = tree.shelf / "jobs" / name
        found = tuple(path for path in expiry.declared(tree, name) if os.path.lexists(place / path))
        if found:
            return place, found
    return None


def put_back(run_tree: Path, place: Path, paths: tuple[str, ...]) -> None:
    """Move leftovers back to where they were, in place of what is committed there.

    How the tree stood before is looked up already, so they count as what the job writes: they are saved if it
    succeeds, and are its leftovers again if not.
    """
    for path in paths:
        target = run_tree / path
        if not os.path.lexists(place / path) or (target.is_dir() and not target.is_symlink()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            target.unlink()
        shutil.move(place / path, target)
