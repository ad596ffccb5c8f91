"""The tree of a target with what was written on a run branch laid over it, worked out in git alone.

A merge would not do: it takes code back after a release that goes backwards, loses a side branch, and brings
inputs back that somebody dropped. So what jobs wrote is laid, path by path, over the target as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from wtwatch.bring import trees, wrote
from wtwatch.bring.threeway import Blocked as Blocked  # noqa: PLC0414 - part of what this module offers
from wtwatch.bring.threeway import Conflict, merged
from wtwatch.bring.threeway import Inside as Inside  # noqa: PLC0414
from wtwatch.bring.wrote import Both, Entry, Found, RunBranch, Wrote, below, entries
from wtwatch.doors.repo import Repo
from wtwatch.tree import named
from wtwatch.words.model import Sha
from wtwatch.words.value import Value


class Code(NamedTuple):
    """Which paths are code, and where they come from: ``source`` is the commit whose entries they will be.

    ``applied`` is the release whose code the run branch has, where it is paths of the superdataset itself:
    then it is a fault if somebody wrote there. ``None``: code is a subdataset, and its pointer's business.
    """

    paths: tuple[str, ...]
    source: Sha
    applied: Sha | None = None


class Overlaid(Value):
    """What comes out: a tree, which paths were laid over the target's, and what was written at all.

    ``changes`` are the paths at which it differs from the run branch, with what both have.
    """

    tree: Sha
    laid: tuple[str, ...]
    wrote: Wrote
    changes: tuple[tuple[str, Both], ...]


Laid = Mapping[str, Entry | None]
"""What is put over a target's entries, by path; ``None``: nothing is there."""


def overlay(
    branch: RunBranch, target: Sha, code: Code, inside: Inside | None = None, found: Wrote | None = None
) -> Overlaid | Blocked:
    """Return the tree of ``target`` with what was written on a run branch over it.

    Code is as :class:`Code` says. Nothing is changed but that objects are written. ``found`` is what
    :func:`wrote.since` says of both, if that is known.
    """
    repo, found = branch.repo, found or wrote.since(branch, target)
    in_code = [path for path in found.paths if below(path, code.paths)]
    if code.applied is not None:
        odd = _written_in_code(repo, in_code, branch.tip, (code.applied, target, code.source, *found.came))
        if odd:
            return Blocked("code", odd)
    results = [path for path in found.paths if not below(path, code.paths)]
    sides = _Sides(branch, target, found, results)
    put, both = _laid(sides, results, inside)
    if both:
        return Blocked("both", tuple(both))
    odd = _misshapen(sides.differing, put, code) or _in_the_way_of_code(repo, target, put, code)
    if odd:
        return Blocked("shape", odd)
    of_code = _code_entries(sides, code)
    differing = tuple(sorted(_differing(sides, put, of_code).items(), key=lambda one: trees.in_bytes(one[0])))
    return Overlaid(_written(sides, put, of_code), tuple(put), found, differing)


class _Sides:
    """What each side has; ``paths`` are those for which it matters who had what before."""

    def __init__(self, branch: RunBranch, target: Sha, found: Wrote, paths: Sequence[str]) -> None:
        self.branch = branch
        self.target = target
        self.found = found
        self._shared: set[str] = set()
        self._lost: Laid = {}
        self._made_beyond: dict[int, Found] = {}
        last, before = _came_last(branch, found) if paths else (None, None)
        pairs = [(branch.tip, target)]
        if paths:
            pairs.append((found.base, target))
        if last and before:
            pairs.append((before, last))
        differing, *more = wrote.differing_in_each(branch.repo, pairs)
        self.differing = differing or {}
        """What the run branch and the target have where they differ."""
        self.since_base = (more[0] if more else None) or {}
        """What the base and the target have where they differ."""
        self._since_before = more[1] if len(more) > 1 else None
        self._before = before if before != found.base else None
        """The newest of the run branch that main had then, if it is not the base."""
        self.last = last if self._since_before is not None else None
        """The commit of main's that came into the run branch last, if any did since the base."""

    @cached_property
    def since_last(self) -> Laid:
        """What stands for the base of paths that main had changed by the time of :attr:`last`.

        What was written on the run branch by then, and main took over, counts for main's only where the
        target comes from that: else it would be lost with a release that goes backwards.
        """
        was = self.found.was
        theirs = {path: entry for path, entry in self.found.brought.items() if entry not in was[path]}
        if self.last is None or self._since_before is None:
            return theirs
        repo = self.branch.repo
        moved = {path: after for path, (_, after) in self._since_before.items() if path in was}
        moved = {**self._without_passed(moved), **self._taken_home(self.last)}
        taken = [path for path, entry in moved.items() if entry in self.found.by_then.get(path, ())]
        shared = repo.git("merge-base", self.last, self.target, ok=(0, 1)) if taken else ""
        there = entries(repo, Sha(shared), taken) if shared else {}
        self._shared = {path for path in taken if shared and there.get(path) == moved[path]}
        self._lost = {path: moved[path] for path in taken if path not in self._shared}
        return theirs | {path: entry for path, entry in moved.items() if path not in self._lost}

    def _without_passed(self, moved: Laid) -> Laid:
        """Return what main ``moved`` without what it had before the base: a release from then let that be."""
        found = self.found
        mine = {path for path, entry in moved.items() if entry in found.by_then.get(path, ())}
        passed = moved.keys() - mine - found.brought.keys()
        if not passed or self._before is None or not self.branch.repo.is_ancestor(self._before, found.base):
            return moved
        return {path: entry for path, entry in moved.items() if path not in passed}

    def _taken_home(self, last: Sha) -> Laid:
        """Return what results were at ``last`` that main had from a way home, or is back at by a copy."""
        if self._since_before is None:
            return {}
        was, since = self.found.by_then, self._since_before
        those = was if self._before is not None else was.keys() & self.found.brought.keys()
        paths = [path for path in those if path in self.differing and path not in since]
        there = entries(self.branch.repo, last, paths)
        return {path: there.get(path) for path in paths if there.get(path) in was[path]}

    @cached_property
    def _made(self) -> Found:
        """All that main made of paths beyond the base."""
        base = self.found.base
        return {} if self.target == base else wrote.made(self.branch.repo, self.target, base)

    def _made_since(self, path: str, known: Sequence[Sha]) -> frozenset[Entry | None]:
        """Return what main made of a path since it took the base in, but for what ``known`` commits hold."""
        if path not in self._made:
            return frozenset()
        if len(known) not in self._made_beyond:
            base = self.found.base
            self._made_beyond[len(known)] = wrote.made_since(self.branch.repo, self.target, base, known)
        return self._made_beyond[len(known)].get(path, frozenset())

    def base(self, path: str) -> Entry | None:
        """Return what stands for the base of a path at which both sides differ."""
        if path in self.since_last:
            return self.since_last[path]
        known = self.since_base.get(path)
        return known[0] if known else self.differing[path][1]

    def went_on(self, path: str) -> bool:
        """Return whether main had what the run branch has there, and went on from it.

        Not where the run branch got that from main, went on, and came back to it: so did main, or not at all.
        Nor that it was deleted there as well once: of several deletions nobody can say whose this is.
        """
        ours, found = self.differing[path][0], self.found
        if path in self._shared and self.since_last[path] == ours and not self.is_new(path):
            return True
        if ours is None or ours not in self._made.get(path, ()):
            return False
        came_before = found.came[found.later.get(path, len(found.came)) :]
        return ours in self._made_since(path, came_before)

    def is_new(self, path: str) -> bool:
        """Return whether a path was written on the run branch after all that came."""
        return self.found.later.get(path) == 0

    def crossed(self, path: str) -> bool:
        """Return whether each side seems to have gone on from what the other has, the run branch lately."""
        return self.is_new(path) and self.built_on(path) and self.went_on(path)

    def both_went_on(self, path: str) -> bool:
        """Return whether both sides had something there after the base that neither has any more.

        It is in main's history, or was there when main came last and the target lost it since.
        """
        had = set(self._made_since(path, ())) & self.found.was[path] - {None}
        if path in self._lost:
            had.add(self._lost[path])
        return not had.issubset(self.differing[path])

    def built_on(self, path: str) -> bool:
        """Return whether the run branch had what the target has there, and went on from it."""
        return self.differing[path][1] in self.found.lately.get(path, ())


def _came_last(branch: RunBranch, found: Wrote) -> tuple[Sha | None, Sha | None]:
    """Return the commit that came into the run branch last, and the newest of the branch that it held.

    ``None`` for both if nothing came since the base, or git has it no more.
    """
    last = found.came[0] if found.came else None
    if last is None:
        return None, None
    before = wrote.noted_base(branch, found.brings[0]) if found.brings else None
    if before is not None and found.brings[0].target == last:
        return last, before
    return (last, wrote.held(branch, last)) if branch.repo.resolve(last) else (None, None)


def _laid(
    sides: _Sides, paths: list[str], inside: Inside | None
) -> tuple[dict[str, Entry | None], list[str]]:
    """Return what is put over the target's entries at ``paths``, and where nobody can say that."""
    put: dict[str, Entry | None] = {}
    both: list[str] = []
    for path in paths:
        if path not in sides.differing:
            continue
        found = _of_one(sides, path, inside)
        if isinstance(found, Conflict):
            both += found.inside or (path,)
        elif found != sides.differing[path][1]:
            put[path] = found
    return put, both


def _of_one(sides: _Sides, path: str, inside: Inside | None) -> Entry | Conflict | None:
    """Return what comes of a path that was written on the run branch, and that the target has otherwise."""
    ours, theirs = sides.differing[path]
    base = sides.base(path)
    if base in (ours, theirs) and sides.crossed(path):
        return Conflict()
    if ours == base:
        return _of_one_as_before(sides, path)
    if theirs == base:
        return theirs if sides.went_on(path) else ours
    if sides.built_on(path) != sides.went_on(path):
        return ours if sides.built_on(path) else theirs
    return merged(sides.branch.repo, path, (base, ours, theirs), inside)


def _of_one_as_before(sides: _Sides, path: str) -> Entry | Conflict | None:
    """Return what comes of a path that the run branch has as its base: written back to that, or by main."""
    ours, theirs = sides.differing[path]
    if ours not in sides.found.was[path] or sides.went_on(path):
        return theirs
    if sides.built_on(path):
        return ours
    is_deleted_since = ours is None and sides.is_new(path)  # perhaps what was taken from main by hand
    return Conflict() if is_deleted_since or sides.both_went_on(path) else theirs


def _written_in_code(repo: Repo, paths: list[str], runs: Sha, known: Iterable[Sha]) -> tuple[str, ...]:
    """Return those of ``paths``, which are code, that are on ``runs`` as in none of the ``known`` commits."""
    odd = paths
    now = entries(repo, runs, odd)
    for commit in dict.fromkeys(known):
        if odd and repo.resolve(commit):
            there = entries(repo, commit, odd)
            odd = [path for path in odd if now.get(path) != there.get(path)]
    return tuple(odd)


def _misshapen(differing: Mapping[str, Both], put: Laid, code: Code) -> tuple[str, ...]:
    """Return paths at which the run branch has a file and the target a folder, or the other way round."""
    theirs = {path for path, (ours, their) in differing.items() if ours is None and their is not None}
    theirs -= {path for path in theirs if below(path, code.paths) or path in put}
    folders = {folder for path in theirs for folder in _above(path)}
    wanted = [path for path, entry in put.items() if entry is not None]
    return tuple(path for path in wanted if path in folders or theirs.intersection(_above(path)))


def _in_the_way_of_code(repo: Repo, target: Sha, put: Laid, code: Code) -> tuple[str, ...]:
    """Return files of the target, or laid over it, where code needs a folder."""
    above = list(dict.fromkeys(folder for path in code.paths for folder in _above(path)))
    if not above or not entries(repo, code.source, code.paths):
        return ()
    there: dict[str, Entry | None] = {**entries(repo, target, above), **put}
    return tuple(path for path in above if there.get(path) is not None)


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _differing(sides: _Sides, put: Laid, of_code: Mapping[str, Both]) -> dict[str, Both]:
    """Return what the run branch has and what comes out, at all paths at which they differ."""
    found = {}
    for path, (ours, theirs) in sides.differing.items():
        new = of_code[path][1] if path in of_code else put.get(path, theirs)
        if new != ours:
            found[path] = (ours, new)
    found |= {path: both for path, both in of_code.items() if path not in sides.differing}
    return found


def _written(sides: _Sides, put: Laid, of_code: Mapping[str, Both]) -> Sha:
    """Write the tree: ``put`` over the target's entries, then code as it is to be."""
    repo, target = sides.branch.repo, sides.target
    over = {**put, **{path: after for path, (_, after) in of_code.items()}}
    if over:
        return trees.with_entries(repo, target, over)
    known = named.of(repo, target)
    return known.tree if known else Sha(repo.git("rev-parse", f"{target}^{{tree}}"))


def _code_entries(sides: _Sides, code: Code) -> Mapping[str, Both]:
    """Return what the target has, and what its source, at paths of code at which they differ."""
    if code.source == sides.target:
        return {}
    if code.source == sides.branch.tip:
        there = sides.differing.items()
        return {path: (theirs, ours) for path, (ours, theirs) in there if below(path, code.paths)}
    return wrote.differing(wrote.ask_differing(sides.branch.repo, sides.target, code.source, *code.paths))
