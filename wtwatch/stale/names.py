"""Names that came into folders of code, or went, and who would have seen that: by few gits for all of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses

_WORD = re.compile(r"\w+")

Spans = Mapping[Sha, Mapping[str, Change]]
"""What differs in code between commits and the one looked at, by paths as seen from the dataset's top."""


class _New(NamedTuple):
    """A path that came or went, of which a name in a folder was not there before, or is not any more."""

    name: str
    path: str
    came: bool


class Names:
    """What came or went between each of some commits and ``now``, as far as ``asked`` would have seen it.

    ``inside`` turns a path as seen from the dataset's top into one of the repository of code.
    """

    def __init__(
        self,
        tree: RunTree,
        now: Sha,
        spans: Spans,
        asked: Mapping[Sha, Collection[Uses]],
        inside: Callable[[str], str],
    ) -> None:
        self._repo, self._inside = Repo(tree.code_path), inside
        self._new = self._found(now, spans, asked)
        meant = {then: {one.name.partition(".")[0] for one in _all(new)} for then, new in self._new.items()}
        self._others = sys.stdlib_module_names | {*_installed(tree)} if any(meant.values()) else frozenset()
        self._said = self._words(asked, {then: names - self._others for then, names in meant.items()})

    def seen_by(self, then: Sha, uses: Uses) -> Iterator[str]:
        """Yield the paths that came or went since ``then`` and that a job with such uses would have seen."""
        new = self._new.get(then)
        if not new:
            return
        yield from (one.path for folder in uses.folders for one in new.get(folder, ()))
        modules = [one for folder in uses.imported for one in new.get(folder, ()) if one.came]
        if not modules:
            return
        words = self._said.get(then, {})
        said = frozenset[str]().union(*(words[path] for path in uses.files if path in words))
        for one in modules:
            stem = one.name.partition(".")[0]
            if stem in self._others or stem in said:
                yield one.path

    def _found(
        self, now: Sha, spans: Spans, asked: Mapping[Sha, Collection[Uses]]
    ) -> dict[Sha, dict[str, list[_New]]]:
        """Return all that came or went in folders that were listed, by commit and folder."""
        found: dict[Sha, dict[str, list[_New]]] = {}
        doubtful: dict[tuple[Sha, str], None] = {}
        for then, changes in spans.items():
            listed = {folder for uses in asked.get(then, ()) for folder in (*uses.folders, *uses.imported)}
            for path, change in changes.items() if listed else ():
                if NOTHING not in (change.mode_before, change.mode_after):
                    continue
                came = change.mode_before == NOTHING
                for folder in _all_above(path):
                    if folder in listed:
                        one = _New(_name_in(folder, path), path, came)
                        found.setdefault(then, {}).setdefault(folder, []).append(one)
                        if (whole := _joined(folder, one.name)) != path:
                            doubtful[then if came else now, whole] = None
        there = self._there(doubtful)
        return {
            then: {
                folder: [
                    one for one in some if (then if one.came else now, _joined(folder, one.name)) not in there
                ]
                for folder, some in folders.items()
            }
            for then, folders in found.items()
        }

    def _there(self, asked: Collection[tuple[Sha, str]]) -> set[tuple[Sha, str]]:
        """Return those of many commits with paths that are there."""
        listed = [(commit, path) for commit, path in asked if "\n" not in path]
        return {one for one, blob in zip(listed, self._ids(listed), strict=True) if blob}

    def _ids(self, asked: Iterable[tuple[Sha, str]]) -> list[str | None]:
        """Return the id of what each of many commits has at a path."""
        names = [f"{commit}:{self._inside(path)}\n" for commit, path in asked]
        if not names:
            return []
        words = ("cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype)")
        lines = self._repo.told(*words, stdin="".join(names)).split("\n")
        return [None if line.endswith(" missing") else line.partition(" ")[0] for line in lines]

    def _words(
        self, asked: Mapping[Sha, Collection[Uses]], names: Mapping[Sha, Collection[str]]
    ) -> dict[Sha, dict[str, frozenset[str]]]:
        """Return which of the names stand as words in files that were used, as they were then."""
        places = {
            (then, path): None
            for then in names
            if names[then]
            for uses in asked.get(then, ())
            for path in uses.files
            if "\n" not in path
        }
        ids = dict(zip(places, self._ids(places), strict=True))
        blobs = dict.fromkeys(Sha(blob) for blob in ids.values() if blob)
        if not blobs:
            return {}
        with self._repo.ask(
            "cat-file", "--buffer", "--batch", feed="".join(f"{one}\n" for one in blobs)
        ) as all_:
            objects = {one.sha: one for one in all_.objects() if one and one.kind == "blob"}
        said = {
            sha: frozenset(_WORD.findall(one.body.decode("utf-8", "replace"))) for sha, one in objects.items()
        }
        found: dict[Sha, dict[str, frozenset[str]]] = {}
        for (then, path), blob in ids.items():
            if blob in said:
                found.setdefault(then, {})[path] = said[Sha(blob)].intersection(names[then])
        return found


def _all(folders: Mapping[str, Iterable[_New]]) -> Iterator[_New]:
    return (one for some in folders.values() for one in some if one.came)


def _all_above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the innermost first; the dataset's top is ``""``."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _name_in(folder: str, path: str) -> str:
    return path[len(folder) + 1 if folder else 0 :].partition("/")[0]


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _installed(tree: RunTree) -> Iterator[str]:
    """Yield the top names that can be imported from the environment."""
    for site in tree.prefix.glob("lib/python*/site-packages"):
        for entry in os.scandir(site):
            yield entry.name.partition(".")[0]
