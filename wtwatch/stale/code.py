"""What differs in code between the commits that ran and another, and what of that jobs used.

Paths of code are as seen from the dataset's top, as :class:`wtwatch.words.uses.Uses` has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.tree import RunTree
from wtwatch.stale.inputs import matches
from wtwatch.stale.names import Names
from wtwatch.stale.values import Why
from wtwatch.tree import diff
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses

CHANGED, CAME, GONE = "changed", "came", "is gone"


class CodeSpans:
    """What differs in code between commits that ran, each with what jobs used of it, and ``now``.

    All of it is asked of a handful of gits, whatever the number.
    """

    def __init__(self, tree: RunTree, now: Sha, asked: Iterable[tuple[Sha, Uses]]) -> None:
        self._paths = tree.project.paths
        self._below = "" if self._paths else f"{tree.project.code}/"
        uses: dict[Sha, set[Uses]] = {}
        for then, one in asked:
            uses.setdefault(then, set()).add(one)
        repo = Repo(tree.code_path)
        trees = repo.trees_of({*uses, now})
        if now not in trees:
            raise WtwatchError(f"The commit {now[:10]} of code is not here.", "wtwatch doctor")
        self._changes = self._differing(
            repo, {then: trees[then] for then in uses if then in trees}, trees[now]
        )
        self._links = {
            then: [path for path, one in changes.items() if GITLINK in (one.mode_before, one.mode_after)]
            for then, changes in self._changes.items()
        }
        seen = {then: [one for one in uses[then] if _is_seen(one)] for then in self._changes}
        self._names = Names(tree, now, self._changes, seen, self._below)
        self._known: dict[tuple[Sha, Uses], tuple[Why, ...]] = {}

    def __contains__(self, then: Sha) -> bool:
        """Return whether a commit is here, so that anything can be said."""
        return then in self._changes

    def touching(self, then: Sha, uses: Uses, command: str = "") -> tuple[Why, ...]:
        """Return what of the differences to ``then`` such a job would have seen."""
        asked = then, uses
        if asked not in self._known:
            self._known[asked] = tuple(self._why(then, path) for path in self._seen(then, uses))
        found = self._known[asked]
        said = {*self._names.said_by(then, command)} if _is_seen(uses) else set[str]()
        more = said.difference(why.path for why in found) if said else ()
        return (*found, *(self._why(then, path) for path in sorted(more)))

    def _differing(self, repo: Repo, trees: Mapping[Sha, Sha], now: Sha) -> dict[Sha, dict[str, Change]]:
        found = diff.of_pairs(repo, {(tree, now) for tree in trees.values()}, self._paths)
        below = {
            pair: {self._below + change.path: change for change in changes} for pair, changes in found.items()
        }
        return {then: below.get((tree, now), {}) for then, tree in trees.items()}

    def _inside(self, path: str) -> str:
        """Return a path as the repository of code has it."""
        return path.removeprefix(self._below)

    def _seen(self, then: Sha, uses: Uses) -> Iterable[str]:
        changes = self._changes[then]
        if uses.whole is not None:
            return [path for path in changes if not self._is_documentation(path)]
        if uses.stated:
            links = self._links[then]
            return [
                path
                for path in changes
                if any(
                    matches(path, one) or (path in links and one.startswith(f"{path}/"))
                    for one in uses.stated
                )
            ]
        used = {path for path in uses.files if path in changes}
        used |= {
            link for link in self._links[then] if any(path.startswith(f"{link}/") for path in uses.files)
        }
        names = {*self._names.seen_by(then, uses)} - used
        return (*sorted(used), *sorted(names))

    def _why(self, then: Sha, path: str) -> Why:
        change = self._changes[then][path]
        how = CAME if change.mode_before == NOTHING else GONE if change.mode_after == NOTHING else CHANGED
        return Why(path, how)

    def _is_documentation(self, path: str) -> bool:
        inside = self._inside(path)
        tops = ["", *(f"{one}/" for one in self._paths)]
        if inside.endswith(".md"):
            return True
        rests = [inside.removeprefix(top) for top in tops if inside.startswith(top)]
        return any(rest.startswith("docs/") or fnmatchcase(rest, "README*") for rest in rests)


def _is_seen(uses: Uses) -> bool:
    """Return whether it is known by what was seen, rather than by what somebody said, or not at all."""
    return uses.whole is None and not uses.stated
