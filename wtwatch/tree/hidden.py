"""Edits in code that git was told not to look at: it calls the tree clean, and jobs would run with them."""

from __future__ import annotations

from wtwatch.doors.repo import Repo
from wtwatch.tree import checkout
from wtwatch.tree.checkout import UNLOOKED, Change
from wtwatch.words.model import Sha

_MARKS = {"S": UNLOOKED[0], "s": UNLOOKED[0], "h": UNLOOKED[1]}
"""What the tags of `git ls-files -v` mean that are of concern (git-ls-files(1))."""


def edits(repo: Repo) -> dict[str, str]:
    """Return the marked files that are not as the index has them, and by which mark git passes them over.

    One that is marked skip-worktree and not there is no edit, but part of a sparse checkout.
    """
    marked: dict[str, str] = {}
    tracked = []
    for line in repo.git("ls-files", "-v", "--stage", "-z").split("\0"):
        facts, _, path = line.partition("\t")
        if facts[:1] in _MARKS:
            _, mode, blob, _ = facts.split()
            marked[path] = _MARKS[facts[:1]]
            tracked.append(Change(path, mode, Sha(blob), mode, Sha(blob)))
    if not marked:
        return {}
    edited = checkout.unseen_edits(repo, tracked, frozenset())
    gone = [
        path for path, mark in marked.items() if mark == UNLOOKED[1] and not checkout.is_here(repo.path, path)
    ]
    return {path: marked[path] for path in sorted({*edited, *gone})}
