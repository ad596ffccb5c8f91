"""Names that came into folders of code, or went, and who would have seen that: by few gits for all of it.

Who listed a folder saw its names; Python's imports, those that could be imported. Nobody sees who looks
whether a file is there, or fails to open it. So a name counts, too, that a program or its command says.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"[\w.-]+")
_IN_A_PATH = re.compile(r"""(?<=["'/])[\w.-]+|[\w.-]+(?=/)""")
"""A name at the beginning of a text in quotes, or beside a slash."""

Spans = Mapping[Sha, Mapping[str, Change]]
"""What differs in code between commits and the one looked at, by paths as seen from the dataset's top."""


class _New(NamedTuple):
    """A path that came or went, of which a name in a folder was not there before, or is not any more."""

    name: str
    path: str
    came: bool


class Names:
    """What came or went between each of some commits and ``now``, as far as ``asked`` would have seen it.

    ``below`` is what paths of code, as seen from the dataset's top, begin with, and its repository has not.
    """

    def __init__(
        self,
        tree: RunTree,
        now: Sha,
        spans: Spans,
        asked: Mapping[Sha, Collection[Uses]],
        below: str,
    ) -> None:
        self._repo, self._below = Repo(tree.code_path), below
        self._roots = tuple(f"{root}/" for root in tree.project.paths or (tree.project.code,))
        self._new = self._found(now, spans, asked)
        self._named = {then: _by_mention(new) for then, new in self._new.items()}
        meant = {then: {_stem(one.name) for one in _all(new)} for then, new in self._new.items()}
        self._others = sys.stdlib_module_names | {*_installed(tree)} if any(meant.values()) else frozenset()
        names = {then: (stems - self._others).union(self._named[then]) for then, stems in meant.items()}
        self._importable = {then: _by_import(new) for then, new in self._new.items()}
        used = {
            (then, path): None
            for then, some in names.items()
            for uses in (asked[then] if some else ())
            for path in uses.files
            if "\n" not in path
        }
        self._said = self._words(now, spans, used, names)

    def seen_by(self, then: Sha, uses: Uses) -> Iterator[str]:
        """Yield the paths that came or went since ``then`` and that a job with such uses would have seen."""
        new = self._new.get(then)
        if not new:
            return
        yield from (one.path for folder in uses.folders for one in new.get(folder, ()))
        words = self._said.get(then, {})
        said = frozenset[str]().union(*(words[path] for path in uses.files if path in words))
        yield from (path for name in said for path in self._named[then].get(name, ()))
        for some in filter(None, map(self._importable[then].get, uses.imported)):
            for stem in (*self._others.intersection(some), *said.intersection(some)):
                yield from some[stem]

    def said_by(self, then: Sha, command: str) -> Iterator[str]:
        """Yield the paths that came or went since ``then`` and that a command itself names."""
        named = self._named.get(then, {})
        for name in _NAME.findall(command) if named else ():
            for said in (name, f"/{name}"):
                if said in named:
                    yield from named[said]

    def _found(
        self, now: Sha, spans: Spans, asked: Mapping[Sha, Collection[Uses]]
    ) -> dict[Sha, dict[str, list[_New]]]:
        """Return all that came or went, by commit and folder; nothing for a commit of which nobody asks."""
        found: dict[Sha, dict[str, list[_New]]] = {}
        doubtful: dict[tuple[Sha, str], None] = {}
        for then, changes in spans.items():
            for path, change in changes.items() if asked.get(then) else ():
                if NOTHING not in (change.mode_before, change.mode_after):
                    continue
                came = change.mode_before == NOTHING
                for folder in _all_above(path, self._below):
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
        names = [f"{commit}:{path.removeprefix(self._below)}\n" for commit, path in asked]
        if not names:
            return []
        words = ("cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype)")
        lines = self._repo.told(*words, stdin="".join(names)).split("\n")
        return [None if line.endswith(" missing") else line.partition(" ")[0] for line in lines]

    def _then(self, now: Sha, spans: Spans, asked: Collection[tuple[Sha, str]]) -> Iterator[str | None]:
        """Yield the id of what each of many commits has at a path: where nothing differs, that of now."""
        places = {
            (now if path.startswith(self._roots) else then, path): None
            for then, path in asked
            if path not in spans[then]
        }
        ids = dict(zip(places, self._ids(places), strict=True))
        for then, path in asked:
            differs = spans[then].get(path)
            yield differs.before if differs else ids.get((now, path)) or ids.get((then, path))

    def _words(
        self, now: Sha, spans: Spans, used: Collection[tuple[Sha, str]], names: Mapping[Sha, Collection[str]]
    ) -> dict[Sha, dict[str, frozenset[str]]]:
        """Return which of the names are said in files that were used, as they were then."""
        ids = dict(zip(used, self._then(now, spans, used), strict=True))
        blobs = dict.fromkeys(Sha(blob) for blob in ids.values() if blob)
        if not blobs:
            return {}
        with self._repo.ask(
            "cat-file", "--buffer", "--batch", feed="".join(f"{one}\n" for one in blobs)
        ) as all_:
            objects = {one.sha: one for one in all_.objects() if one and one.kind == "blob"}
        said = {sha: _said_in(one.body.decode("utf-8", "replace")) for sha, one in objects.items()}
        found: dict[Sha, dict[str, frozenset[str]]] = {}
        for (then, path), blob in ids.items():
            if blob in said:
                found.setdefault(then, {})[path] = said[Sha(blob)].intersection(names[then])
        return found


def _by_import(folders: Mapping[str, Iterable[_New]]) -> dict[str, dict[str, list[str]]]:
    """Return the paths that came, by folder, and in it by what an import would call them."""
    found: dict[str, dict[str, list[str]]] = {}
    for folder, some in folders.items():
        for one in (one for one in some if one.came):
            found.setdefault(folder, {}).setdefault(_stem(one.name), []).append(one.path)
    return found


def _said_in(text: str) -> frozenset[str]:
    """Return the words and names in a text; those in a path, with a slash before them, besides."""
    in_paths = (f"/{name}" for name in _IN_A_PATH.findall(text))
    return frozenset((*_WORD.findall(text), *_NAME.findall(text), *in_paths))


def _by_mention(folders: Mapping[str, Iterable[_New]]) -> dict[str, list[str]]:
    """Return the paths that came or went by what a program says that means one of them.

    That is its name, ``opt.txt``; ``opt`` where it stands in a path or in quotes, as programs put names
    together, except for a module, which an import means; and so the name of a folder.
    """
    found: dict[str, list[str]] = {}
    for one in (one for some in folders.values() for one in some):
        name = max(_NAME.findall(one.name), key=len, default="")
        stem = name.rpartition(".")[0]
        says = [name] if stem else []
        says += [f"/{stem or name}"] if not name.endswith(".py") else []
        for said in says:
            found.setdefault(said, []).append(one.path)
    return found


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _all(folders: Mapping[str, Iterable[_New]]) -> Iterator[_New]:
    return (one for some in folders.values() for one in some if one.came)


def _all_above(path: str, below: str) -> Iterator[str]:
    """Yield the folders of code that a path lies in, the innermost first; the dataset's top is ``""``."""
    while path != below.rstrip("/"):
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
