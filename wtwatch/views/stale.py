"""Results that are stale on a screen: grouped by what changed, with the commit that did it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from wtwatch.project.tree import RunTree
from wtwatch.stale.causes import Cause, Changed, causes_of
from wtwatch.stale.values import Finding, Result, Standing
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
    groups: dict[Standing, dict[tuple[object, ...], list[Finding]]] = {}
    for one in found:
        alike = groups.setdefault(one.standing, {})
        alike.setdefault((one.why, one.detail, one.then), []).append(one)
    known = _causes(tree, [some[0] for some in groups.get(Standing.STALE, {}).values()], now)
    for standing, title in (
        (Standing.STALE, "{} stale"),
        (Standing.FED, "{} looked at again once what they need was made anew"),
        (Standing.UNKNOWN, "{} of which nobody can tell; never run again unasked"),
    ):
        alike = groups.get(standing, {})
        if alike:
            yield f"{title.format(counted(sum(map(len, alike.values())), 'result'))}:"
        told: dict[tuple[str, ...], list[Result]] = {}  # from another code on it may be the same cause
        for some in alike.values():
            told.setdefault(tuple(_reasons(some[0], known)), []).extend(one.result for one in some)
        for why, results in told.items():
            yield from _group(why, results, columns)
    fresh = sum(one.standing is Standing.FRESH for one in found)
    if fresh:
        yield f"{counted(fresh, 'result')} fresh."


def _group(why: Sequence[str], results: Sequence[Result], columns: int | None) -> Iterator[str]:
    for text in why:
        yield from folded(f"  {text}", columns, "    ")
    for result in results[:SHOWN]:
        yield from folded(f"      {result.commit[:10]}  {one_line(result.name)}", columns, "        ")
    if len(results) > SHOWN:
        yield f"      … and {len(results) - SHOWN} more"


def why_of(tree: RunTree, found: Finding, now: Sha) -> Iterator[str]:
    """Yield in words why a result stands as it does to code at ``now``."""
    return _reasons(found, _causes(tree, [found], now))


def _reasons(found: Finding, known: Mapping[Changed, Cause]) -> Iterator[str]:
    """Yield in words why a result stands as it does, with the commits that are the cause."""
    for one in found.why[:REASONS]:
        cause = known.get((one.path, found.then)) if found.then else None
        said = f" in {cause.commit[:10]} {cause.subject}" if cause else ""
        yield one_line(f"{one.path} {one.how}{said}")
    if len(found.why) > REASONS:
        yield f"… and {len(found.why) - REASONS} more"
    if found.detail and found.standing is Standing.UNKNOWN:
        yield one_line(found.detail)
    elif found.detail and found.why:
        yield one_line(f"(all of code counts: {found.detail})")


def _causes(tree: RunTree, found: Iterable[Finding], now: Sha) -> dict[Changed, Cause]:
    """Return the commits that made results stale; not too many are looked up."""
    stale = (one for one in found if one.standing is Standing.STALE)
    asked = ((one, why) for one in stale for why in one.why[:REASONS])
    return causes_of(tree, list(islice(asked, LOOKED_UP)), now)
