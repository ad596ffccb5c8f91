"""Whether jobs meet: what one makes another makes too, or needs. Pure, by paths alone, on the safe side.

Paths are as seen from the top of the superdataset. Two meet if they are one, or one lies in the other.
Wildcards may stand for any name that they match; from a placeholder such as ``{tmpdir}`` or ``**`` on,
anything may follow. Inputs of two jobs alone never meet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain, takewhile
from typing import NamedTuple

from wtwatch.words.model import JobSpec

_OPEN = re.compile(r"\*\*|[{}]")
_WILD = re.compile(r"[*?\[{}]")
_END = re.compile(r"[*?\]{}]")

TOP = "."
"""The whole superdataset: it meets all that is in it."""


class Touches(NamedTuple):
    """What a job declared that it reads and writes; ``writes`` is ``None`` of one that may write anything."""

    reads: tuple[str, ...]
    writes: tuple[str, ...] | None


def touches(spec: JobSpec, recorded: JobSpec | None = None, image: Sequence[str] = ()) -> Touches:
    """Return what a job touches.

    Of one that runs a record again, ``recorded`` is what that declares; ``image`` is what its container
    needs. A job that declares no outputs may write anything.
    """
    declared = spec if recorded is None else recorded
    return Touches((*declared.inputs, *image), None if spec.plain else declared.outputs or None)


def meet(one: Touches, other: Touches) -> bool:
    """Return whether two jobs must not run side by side."""
    claims = Claims()
    claims.add(0, one)
    return claims.met_by(other) is not None


class Meeting(NamedTuple):
    """A job that another one meets, and in words in what: "which makes plots/a"."""

    job: int
    why: str


class Claims:
    """What jobs touch, by their numbers; asked of hundreds of jobs among as many."""

    def __init__(self) -> None:
        self._read, self._written = Places(), Places()
        self._any: int | None = None  # the first that may write anything
        self._first: int | None = None

    def add(self, job: int, touched: Touches) -> None:
        """Add what a job touches."""
        self._first = job if self._first is None else self._first
        if touched.writes is None:
            self._any = job if self._any is None else self._any
        self._read.add(job, touched.reads)
        self._written.add(job, touched.writes or ())

    def met_by(self, touched: Touches) -> Meeting | None:
        """Return one of the jobs that a job with such paths meets."""
        if self._any is not None:
            return Meeting(self._any, "which declares no outputs, so it may write anything")
        if touched.writes is None:
            alone = "as it declares no outputs itself, and may write anything"
            return None if self._first is None else Meeting(self._first, alone)
        for places, paths, words in (
            (self._written, touched.reads, "which makes {}"),
            (self._written, touched.writes, "which makes {} too"),
            (self._read, touched.writes, "which needs {}"),
        ):
            if found := next(filter(None, map(places.find, paths)), None):
                return Meeting(found[0], words.format(found[1]))
        return None


class Places:
    """Declared paths, each with its job, found by the folders on the way to their first wildcard."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        self._below: dict[tuple[str, ...], list[tuple[int, str]]] = {}

    def add(self, job: int, paths: Iterable[str]) -> None:
        """Add paths of a job."""
        for path in paths:
            fixed, told = _fixed(path), (job, path)
            self._at.setdefault(fixed, []).append(told)
            for depth in range(len(fixed) + 1):  # the top first
                self._below.setdefault(fixed[:depth], []).append(told)

    def find(self, path: str) -> tuple[int, str] | None:
        """Return a job and its path that meets ``path``."""
        return next(self.all_of(path), None)

    def all_of(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield each job with each of its paths that meets ``path``."""
        fixed = _fixed(path)
        above = (self._at.get(fixed[:depth], ()) for depth in range(len(fixed)))  # the top first
        tried = chain(filter(None, above), filter(None, [self._below.get(fixed, ())]))
        return (told for some in tried for told in some if paths_meet(path, told[1]))


def _fixed(path: str) -> tuple[str, ...]:
    """Return the names on the way to a path before the first that has a wildcard."""
    if not _WILD.search(path):
        return _parts(path)
    return tuple(takewhile(lambda name: not _WILD.search(name), _parts(path)))


def paths_meet(one: str, other: str) -> bool:
    """Return whether two declared paths may be the same, or one may lie in the other."""
    for mine, its in zip(_parts(one), _parts(other), strict=False):
        if _OPEN.search(mine) or _OPEN.search(its):
            return _begin_alike(mine, its)
        if not _may_be_one(mine, its):
            return False
    return True


@lru_cache(maxsize=32768)
def _parts(path: str) -> tuple[str, ...]:
    """Return the names on the way to a path; none for the top, and for what lies who knows where."""
    plain = os.path.normpath(path)
    parts = tuple(plain.split("/"))
    return () if plain == TOP or plain.startswith("/") or ".." in parts else parts


def _begin_alike(one: str, other: str) -> bool:
    """Return whether two names of which one is open-ended may begin the same way."""
    mine, its = _literal(one), _literal(other)
    if mine == one:
        return mine.startswith(its)
    if its == other:
        return its.startswith(mine)
    return mine.startswith(its) or its.startswith(mine)


def _may_be_one(one: str, other: str) -> bool:
    """Return whether two names, which may have wildcards, may stand for the same."""
    if _literal(one) == one:
        return fnmatchcase(one, other)
    if _literal(other) == other:
        return fnmatchcase(other, one)
    mine, its = _END.split(one)[-1], _END.split(other)[-1]
    return _begin_alike(one, other) and (mine.endswith(its) or its.endswith(mine))


def _literal(name: str) -> str:
    """Return what stands before the first wildcard of a name."""
    return _WILD.split(name, maxsplit=1)[0]
