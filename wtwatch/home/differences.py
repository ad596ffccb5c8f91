"""What differs between two commits, asked once: a merge goes by it to plan, to see what bars it, to tell."""

from __future__ import annotations

from pathlib import Path

from wtwatch.doors.memory import Memory
from wtwatch.doors.porcelain import parse_tree
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.tree import checkout
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.checkout import Change
from wtwatch.words.model import Sha

_known: Memory[tuple[Path, Sha, Sha], tuple[Change, ...]] = Memory(4)
"""By the work tree and both commits, which never change."""


def between(repo: Repo, old: Sha, new: Sha) -> tuple[Change, ...]:
    """Return what differs between two commits, path by path."""
    asked = (repo.path, old, new)
    found = _known.get(asked)
    if found is None:
        found = _known[asked] = checkout.between(repo, old, new)
    return found


def whole(repo: Repo, commit: Sha) -> tuple[Change, ...]:
    """Return all that a commit has, as if there had been nothing before."""
    listing = parse_tree(repo.git("ls-tree", "-r", "-z", "--full-tree", commit))
    return tuple(Change(entry.path, NOTHING, ZERO, entry.mode, entry.sha) for entry in listing)
