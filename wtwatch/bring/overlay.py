"""The tree of a target with what was written on a run branch laid over it, worked out in git alone.

A merge would not do: it takes code back after a release that goes backwards, loses a side branch, and brings
inputs back that somebody dropped. So what jobs wrote is laid, path by path, over the target as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from wtwatch.bring import wrote
from wtwatch.bring.threeway import Blocked as Blocked  # noqa: PLC0414 - part of what this module offers
from wtwatch.bring.threeway import Conflict, merged
from wtwatch.bring.threeway import Inside as Inside  # noqa: PLC0414
from wtwatch.bring.wrote import Entry, Found, RunBranch, Wrote, below, entries
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import Repo
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
    """What comes out: a tree, which paths were laid over the target's, and what was written at all."""

    tree: Sha
    laid: tuple[str, ...]
    wrote: Wrote


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
    sides = _Sides(branch, target, found)
    put, both = _laid(sides, [path for path in found.paths if not below(path, code.paths)], inside)
    if both:
        return Blocked("both", tuple(both))
    odd = _misshapen(sides.differing, put, code) or _in_the_way_of_code(repo, target, put, code)
    if odd:
        return Blocked("shape", odd)
    return Overlaid(_written(sides, put, code), tuple(put), found)


class _Sides:
    """What each side has, asked for when it is needed."""

    def __init__(self, branch: RunBranch, target: Sha, found: Wrote) -> None:
        self.branch = branch
        self.target = target
        self.found = found
        self._differing = wrote.ask_differing(branch.repo, branch.tip, target)
        self._shared: set[str] = set()

    @cached_property
    def differing(self) -> dict[str, tuple[Entry | None, Entry | None]]:
        """What the run branch and the target have where they differ."""
        return wrote.differing(self._differing)

    @cached_property
    def since_base(self) -> dict[str, tuple[Entry | None, Entry | None]]:
        """What the base and the target have where they differ."""
        return wrote.differing(wrote.ask_differing(self.branch.repo, self.found.base, self.target))

    @cached_property
    def last(self) -> Sha | None:
        """The commit of main's that came into the run branch last, if any did since the base."""
        came = self.found.came[:1]
        return came[0] if came and self.branch.repo.resolve(came[0]) else None

    @cached_property
    def since_last(self) -> Laid:
        """What stands for the base of paths that main had changed by the time of :attr:`last`.

        What was written on the run branch by then, and main took over, counts for main's only where the
        target comes from that: else it would be lost with a release that goes backwards.
        """
        was = self.found.was
        theirs = {path: entry for path, entry in self.found.brought.items() if entry not in was[path]}
        if self.last is None:
            return theirs
        repo, before = self.branch.repo, wrote.held(self.branch, self.last)
        changed = wrote.differing(wrote.ask_differing(repo, before, self.last))
        moved = {path: after for path, (_, after) in changed.items() if path in was}
        taken = [path for path, entry in moved.items() if entry in was[path]]
        shared = repo.git("merge-base", self.last, self.target, ok=(0, 1)) if taken else ""
        there = entries(repo, Sha(shared), taken) if shared else {}
        self._shared = {path for path in taken if shared and there.get(path) == moved[path]}
        lost = set(taken) - self._shared
        return theirs | {path: entry for path, entry in moved.items() if path not in lost}

    @cached_property
    def made_since(self) -> Found:
        """All that main made of paths since the base, and since it came last."""
        known = [self.found.base, *([self.last] if self.last else [])]
        return {} if self.target in known else wrote.made(self.branch.repo, self.target, known)

    def base(self, path: str) -> Entry | None:
        """Return what stands for the base of a path at which both sides differ."""
        if path in self.since_last:
            return self.since_last[path]
        known = self.since_base.get(path)
        return known[0] if known else self.differing[path][1]

    def went_on(self, path: str) -> bool:
        """Return whether main had what the run branch has there, and went on from it."""
        ours = self.differing[path][0]
        taken = path in self._shared and self.since_last[path] == ours
        return taken or ours in self.made_since.get(path, ())

    def built_on(self, path: str) -> bool:
        """Return whether the run branch had what the target has there, and went on from it."""
        return self.differing[path][1] in self.found.was[path]


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
    if ours == base:
        own = ours in sides.found.was[path] and sides.built_on(path)
        return ours if own and not sides.went_on(path) else theirs
    if theirs == base:
        return theirs if sides.went_on(path) else ours
    if sides.built_on(path) != sides.went_on(path):
        return ours if sides.built_on(path) else theirs
    return merged(sides.branch.repo, path, (base, ours, theirs), inside)


def _written_in_code(repo: Repo, paths: list[str], runs: Sha, known: Iterable[Sha]) -> tuple[str, ...]:
    """Return those of ``paths``, which are code, that are on ``runs`` as in none of the ``known`` commits."""
    odd = paths
    now = entries(repo, runs, odd)
    for commit in dict.fromkeys(known):
        if odd and repo.resolve(commit):
            there = entries(repo, commit, odd)
            odd = [path for path in odd if now.get(path) != there.get(path)]
    return tuple(odd)


def _misshapen(
    differing: Mapping[str, tuple[Entry | None, Entry | None]], put: Laid, code: Code
) -> tuple[str, ...]:
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


def _written(sides: _Sides, put: Laid, code: Code) -> Sha:
    """Write the tree; ``put`` over the target's entries, then code as it is to be."""
    repo, target = sides.branch.repo, sides.target
    of_code = _code_entries(sides, code)
    if not put and not of_code:
        return Sha(repo.git("rev-parse", f"{target}^{{tree}}"))
    with scratch_folder("wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        repo.git("read-tree", target, env=env)
        lines = "".join([*_lines(put), *_lines(of_code)])
        repo.git("update-index", "--add", "--replace", "-z", "--index-info", stdin=lines, env=env)
        return Sha(repo.git("write-tree", env=env))


def _code_entries(sides: _Sides, code: Code) -> Laid:
    """Return the entries of code that the target has otherwise than its source."""
    if code.source == sides.target:
        return {}
    if code.source == sides.branch.tip:
        return {path: ours for path, (ours, _) in sides.differing.items() if below(path, code.paths)}
    asked = wrote.ask_differing(sides.branch.repo, sides.target, code.source, *code.paths)
    return {path: after for path, (_, after) in wrote.differing(asked).items()}


def _lines(put: Laid) -> Iterable[str]:
    """Return what `git update-index` is told: first what goes, since it may be in the way of what comes."""
    gone = (f"0 {'0' * 40}\t{path}\0" for path, entry in put.items() if entry is None)
    there = (f"{entry.mode} {entry.sha}\t{path}\0" for path, entry in put.items() if entry is not None)
    return (*gone, *there)
