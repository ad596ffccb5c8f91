"""Which commits of code are the cause: for each path that changed the newest that changed it, by two gits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from wtwatch.doors.logged import logged
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.stale.values import Finding, Why
from wtwatch.words.model import Sha

Changed = tuple[str, Sha]
"""A path of code, as seen from the dataset's top, and the commit that ran."""


class Cause(NamedTuple):
    """A commit of code, and the first line of its message."""

    commit: Sha
    subject: str


def causes_of(tree: RunTree, asked: Iterable[tuple[Finding, Why]], now: Sha) -> dict[Changed, Cause]:
    """Return which commits of ``now`` are the cause of what findings say changed in code."""
    roots = tree.project.paths or (tree.project.code,)
    return _causes(
        tree,
        now,
        {
            (why.path, one.then): None
            for one, why in asked
            if one.then and any(why.path == root or why.path.startswith(f"{root}/") for root in roots)
        },
    )


def _causes(tree: RunTree, now: Sha, asked: Collection[Changed]) -> dict[Changed, Cause]:
    """Return the newest commit of ``now``, beyond the one that ran, that changed a path; none: left out."""
    if not asked:
        return {}
    repo, below = Repo(tree.code_path), "" if tree.project.paths else f"{tree.project.code}/"
    inside = {path: path.removeprefix(below) for path, _ in asked}
    only = [f":(top,literal){path}" for path in dict.fromkeys(inside.values())]
    changed: dict[str, list[Cause]] = {}
    for (commit, subject), _, paths in logged(repo, ("%H", "%s"), "--topo-order", now, "--", *only):
        for path in paths:
            changed.setdefault(path, []).append(Cause(Sha(commit), subject))
    before = _all_before(repo, {then for _, then in asked})
    found = {
        (path, then): next(
            (one for one in changed.get(inside[path], ()) if one.commit not in before[then]), None
        )
        for path, then in asked
    }
    return {one: cause for one, cause in found.items() if cause}


def _all_before(repo: Repo, commits: Collection[Sha]) -> Mapping[Sha, Collection[str]]:
    """Return each of some commits with all that lead to it, itself among them."""
    lines = repo.told("rev-list", "--parents", *commits).split("\n")
    parents = {commit: rest for commit, *rest in map(str.split, filter(None, lines))}
    found = {}
    for commit in commits:
        found[commit], left = set[str](), [str(commit)]
        while left:
            one = left.pop()
            if one not in found[commit]:
                found[commit].add(one)
                left += parents.get(one, ())
    return found
