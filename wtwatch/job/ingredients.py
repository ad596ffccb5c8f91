"""What the inputs of a run were: the files that its patterns matched then, in all datasets, with keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from wtwatch.doors.porcelain import TreeEntry, parse_tree
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree.bytewise import LINK
from wtwatch.words.model import Sha
from wtwatch.words.patterns import before_magic, fits

_ANNEX = re.compile(rb"annex/objects/(?:.*/)?([^/\n]+)")
_LONGEST_POINTER = 1024  # bytes of a file that names a key of git-annex


class Ingredient(NamedTuple):
    """A file that went into a run: its path, and its key in git-annex, or what git calls its content."""

    path: str
    key: str


class Ingredients(NamedTuple):
    """The first of the files, and whether there are more; ``missing`` are the patterns that matched none."""

    files: tuple[Ingredient, ...]
    more: bool
    missing: tuple[str, ...]


class _Found(NamedTuple):
    repo: Repo
    entry: TreeEntry
    path: str


def of_run(repo: Repo, commit: Sha, patterns: Sequence[str], most: int) -> Ingredients:
    """Return what ``patterns`` (paths, folders, globs) matched at a commit: so many files at most."""
    found: list[_Found] = []
    missing, more = [], False
    for pattern in map(os.path.normpath, patterns):
        inside = not pattern.startswith(("/", ".."))  # a record may be of anybody
        matched = list(islice(_matching(repo, commit, pattern), most + 1)) if inside else []
        missing += [] if matched else [pattern]
        found += matched
        more = more or len(found) > most
        found = found[:most]
    return Ingredients(tuple(_with_keys(found)), more, tuple(missing))


def _matching(repo: Repo, commit: Sha, pattern: str, before: str = "") -> Iterator[_Found]:
    """Yield the files at a commit that a pattern matches, also in subdatasets; a folder means all in it."""
    plain = before_magic(pattern)
    where = [plain] if plain else []
    parts = plain.split("/") if plain else []
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    for entry in repo.tree(commit, *above).values() if above else ():
        if entry.mode == GITLINK and pattern != entry.path:
            inner = Repo(repo.path / entry.path)
            if (inner.path / ".git").exists() and inner.resolve(entry.sha):
                rest = pattern.removeprefix(f"{entry.path}/")
                yield from _matching(inner, entry.sha, rest, f"{before}{entry.path}/")
            return
    text = repo.git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *where)
    for entry in parse_tree(text):
        if plain == pattern or fits(entry.path, pattern):
            yield _Found(repo, entry, before + entry.path)


def _with_keys(found: Sequence[_Found]) -> Iterator[Ingredient]:
    """Yield files with their keys, by two gits a dataset."""
    keys: dict[Sha, str] = {}
    for place in {one.repo.path: one.repo for one in found}.values():
        here = [one.entry for one in found if one.repo.path == place.path]
        keys |= keys_of(place, {entry.sha: entry.mode for entry in here if entry.kind == "blob"})
    for one in found:
        known = "subdataset at" if one.entry.mode == GITLINK else "git"
        yield Ingredient(one.path, keys.get(one.entry.sha, f"{known} {one.entry.sha[:10]}"))


def keys_of(repo: Repo, blobs: Mapping[Sha, str]) -> dict[Sha, str]:
    """Return the keys of git-annex that blobs, given with their modes, name, locked or not; by two gits."""
    sizes = repo.sizes(blobs) if blobs else {}
    leading = {sha for sha, mode in blobs.items() if mode == LINK or sizes[sha] <= _LONGEST_POINTER}
    keys = {}
    for sha, text in (repo.contents(leading) if leading else {}).items():
        if key := _ANNEX.search(text.split(b"\n", 1)[0]):
            keys[sha] = os.fsdecode(key[1])
    return keys
