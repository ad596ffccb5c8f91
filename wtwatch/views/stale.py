"""Results that are stale on a screen: grouped by what changed, with the commit that did it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.stale.code import changed_in
from wtwatch.stale.values import Finding, Result, Standing, Why
from wtwatch.views.jobwords import one_line
from wtwatch.views.terminal import folded
from wtwatch.words.model import Sha, counted

SHOWN = 20
"""Results of a group that are named one by one."""

REASONS = 5
"""Reasons of a group that are named one by one."""


LOOKED_UP = 100
"""Reasons of which each has the commit looked up that is the cause."""


def lines(tree: RunTree, found: Sequence[Finding], now: Sha, columns: int | None) -> Iterator[str]:
    """Yield what is stale on code at ``now``, what that may make stale in its turn, what nobody can tell."""
    causes = _Causes(tree, now)
    for standing, title in (
        (Standing.STALE, "{} stale"),
        (Standing.FED, "{} looked at again once what they need was made anew"),
        (Standing.UNKNOWN, "{} of which nobody can tell; never run again unasked"),
    ):
        groups: dict[tuple[object, ...], list[Finding]] = {}
        for one in found:
            if one.standing is standing:
                groups.setdefault((one.why, one.detail, one.then), []).append(one)
        if groups:
            yield f"{title.format(counted(sum(map(len, groups.values())), 'result'))}:"
        for some in groups.values():
            yield from _group(list(reasons(some[0], causes)), [one.result for one in some], columns)
    fresh = sum(one.standing is Standing.FRESH for one in found)
    if fresh:
        yield f"{counted(fresh, 'result')} fresh."


def _group(why: Sequence[str], results: Sequence[Result], columns: int | None) -> Iterator[str]:
    for text in why:
        yield from folded(f"  {text}", columns, "    ")
    for result in results[:SHOWN]:
        yield from folded(f"      {result.commit[:10]}  {named(result)}", columns, "        ")
    if len(results) > SHOWN:
        yield f"      … and {len(results) - SHOWN} more"


def named(result: Result) -> str:
    """Return what a result is called: what it makes."""
    made = result.spec.outputs or tuple(result.written)
    return one_line(made[0] + (f" and {len(made) - 1} more" if len(made) > 1 else ""))


def why_of(tree: RunTree, found: Finding, now: Sha) -> Iterator[str]:
    """Yield in words why a result stands as it does to code at ``now``."""
    return reasons(found, _Causes(tree, now))


def reasons(found: Finding, causes: _Causes) -> Iterator[str]:
    """Yield in words why a result stands as it does, with the commits that are the cause."""
    for one in found.why[:REASONS]:
        yield one_line(f"{one.path} {one.how}{causes.of(found, one)}")
    if len(found.why) > REASONS:
        yield f"… and {len(found.why) - REASONS} more"
    if found.detail and found.standing is Standing.UNKNOWN:
        yield one_line(found.detail)
    elif found.detail and found.why:
        yield one_line(f"(all of code counts: {found.detail})")


class _Causes:
    """The commits of code that changed paths; each is looked up once, and not too many."""

    def __init__(self, tree: RunTree, now: Sha) -> None:
        self._tree, self._now = tree, now
        self._known: dict[tuple[str, Sha], str] = {}

    def of(self, found: Finding, why: Why) -> str:
        """Return in words in which commit a path changed; nothing where that is not known."""
        project = self._tree.project
        roots = project.paths or (project.code,)
        inside = any(why.path == root or why.path.startswith(f"{root}/") for root in roots)
        if found.then is None or found.standing is not Standing.STALE or not inside:
            return ""
        asked = why.path, found.then
        if asked not in self._known and len(self._known) < LOOKED_UP:
            commit = changed_in(self._tree, why.path, found.then, self._now)
            repo = Repo(self._tree.code_path)
            self._known[asked] = f" in {commit[:10]} {repo.subject(commit)}" if commit else ""
        return self._known.get(asked, "")
