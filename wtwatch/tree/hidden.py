"""Edits in code that git was told not to look at: it calls the tree clean, and jobs would run with them."""

from __future__ import annotations

from collections.abc import Sequence

from wtwatch.doors.repo import Repo
from wtwatch.tree import obstacles
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha

UNLOOKED = ("skip-worktree", "assume-unchanged")
"""The marks in the index that make git pass a file over (git-update-index(1))."""

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
    edited = obstacles.unseen_edits(repo, tracked, frozenset())
    gone = [
        path
        for path, mark in marked.items()
        if mark == UNLOOKED[1] and not obstacles.is_here(repo.path, path)
    ]
    return {path: marked[path] for path in sorted({*edited, *gone})}


def unlooked(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    """Return which of ``paths`` git was told not to look at, and by which mark."""
    known = {"GIT_LITERAL_PATHSPECS": "1"}
    listing = repo.git("ls-files", "-v", "-z", "--", *paths, env=known).split("\0") if paths else []
    tags = {line[2:]: line[0] for line in listing if line}
    skipped = {path: UNLOOKED[0] for path, tag in tags.items() if tag in "Ss"}
    return skipped | {path: UNLOOKED[1] for path, tag in tags.items() if tag == "h"}


def look_again(repo: Repo, paths: Sequence[str]) -> None:
    """Take the marks off that make git pass files over."""
    for mark in UNLOOKED:
        repo.git("update-index", f"--no-{mark}", "-z", "--stdin", stdin="".join(f"{p}\0" for p in paths))
