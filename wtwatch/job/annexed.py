"""Which content of an annex declared inputs are: found by a look at files, and a git or two for pointers.

An annexed file is a link to its content or, unlocked, a file for which git has a pointer to that (git-annex,
"internals": pointer file, hashing). What is declared may be folders and globs, as DataLad takes them, and lie
in subdatasets.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.tree.bytewise import annex_key
from wtwatch.words.model import Sha

Files = dict[str, dict[str, str]]
"""By folders ``annex/objects``: places of content below, and a file each, as its path from the top."""


class Annexed(NamedTuple):
    """The content of ``files``; ``named`` is, by whole paths, that of links which were declared as such."""

    files: Files
    named: frozenset[str]


_IN = "annex/objects/"
_LONGEST_POINTER = 32768
_LETTERS = "0123456789zqjxkmvwgpfZQJXKMVWGPF"


def of(top: Path, patterns: Iterable[str]) -> Annexed:
    """Return the content of all files that ``patterns`` match in the dataset at ``top``, present or not."""
    look = _Look(str(top))
    for pattern in patterns:
        matched = _matched(str(top), pattern) if glob.has_magic(pattern) else [pattern]
        for path in matched:
            look.at(os.path.normpath(os.path.join(look.top, path)))
    look.at_pointers()
    return Annexed(look.found, frozenset(look.named))


def annex_at(top: Path, path: str) -> str | None:
    """Return the folder of content of the dataset that a file of the tree at ``top`` lies in, if one does."""
    dataset = dataset_of(str(top), os.path.dirname(f"{top}/{path}"))
    return None if dataset is None else _objects(Repo(Path(dataset)))


def dataset_of(top: str, folder: str) -> str | None:
    """Return the innermost dataset that a folder at or below ``top`` lies in."""
    while f"{folder}/".startswith(f"{top}/"):
        if os.path.lexists(f"{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)
    return None


def _matched(top: str, pattern: str) -> list[str]:
    return glob.glob(pattern, root_dir=top, recursive=True)


class _Look:
    """A look at files; ``found`` is their content, ``named`` that of links which were declared themselves."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.found: Files = {}
        self.named: set[str] = set()
        self._known: dict[tuple[str, str], tuple[str, dict[str, str] | None]] = {}
        self._plain: dict[str, int] = {}
        self._seen: set[str] = set()

    def at(self, path: str) -> None:
        """Look at what was declared: a file, a folder, or a link to either within the dataset."""
        if path in self._seen or not f"{path}/".startswith(f"{self.top}/"):
            return
        self._seen.add(path)
        try:
            link = os.readlink(path)
        except FileNotFoundError:
            return
        except OSError:  # it is no link
            if os.path.isdir(path):
                self._within(path)
            elif os.path.isfile(path):
                self._plain[path] = os.stat(path).st_size
            return
        folder = os.path.dirname(path)
        if content := self._link(folder, path, link):
            self.named.add(content)
        elif _IN not in link:
            self.at(os.path.normpath(os.path.join(folder, link)))

    def _within(self, folder: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    self._link(folder, entry.path, os.readlink(entry.path))
                elif entry.is_dir():
                    if entry.name != ".git":
                        self._within(entry.path)
                elif entry.is_file():
                    self._plain[entry.path] = entry.stat().st_size

    def _link(self, folder: str, path: str, link: str) -> str | None:
        """Note which content a link leads to, if it does; return its whole path."""
        before, _, place = link.partition(_IN)
        known = self._known.get((folder, before))
        if known is None:
            objects = os.path.realpath(os.path.join(folder, before, _IN))
            is_one = bool(place) and _is_annex(objects)
            known = (objects, self.found.setdefault(objects, {}) if is_one else None)
            self._known[folder, before] = known
        objects, places = known
        if places is None or not place:
            return None
        places.setdefault(place, path[len(self.top) + 1 :])
        return f"{objects}/{place}"

    def at_pointers(self) -> None:
        """Look which of the plain files git has pointers for, with content in their place."""
        for dataset, paths in self._by_dataset().items():
            repo = Repo(Path(dataset))
            objects = _objects(repo)
            if not _is_annex(objects):
                continue
            keys = _keys(repo, [os.path.relpath(path, dataset) for path in paths], list(paths.values()))
            for path, key in zip(paths, keys, strict=True):
                if key:
                    places = self.found.setdefault(objects, {})
                    places.setdefault(_place(objects, key), path[len(self.top) + 1 :])

    def _by_dataset(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        above: dict[str, str | None] = {}
        for path, size in self._plain.items():
            folder = os.path.dirname(path)
            if folder not in above:
                above[folder] = dataset_of(self.top, folder)
            if (dataset := above[folder]) is not None:
                found.setdefault(dataset, {})[path] = size
        return found


def _objects(repo: Repo) -> str:
    return f"{repo.common_dir()}/{_IN}".rstrip("/")


def _is_annex(objects: str) -> bool:
    return objects.endswith("/annex/objects") and os.path.isdir(objects)


def _keys(repo: Repo, paths: Sequence[str], sizes: Sequence[int]) -> list[str | None]:
    """Return the keys of unlocked files whose content is there, by their names in files.

    Where git has another size for a file than it has, git has a pointer for it, or it was written to.
    """
    asked = "".join(f":{path}\n" if "\n" not in path else ":\n" for path in paths)
    with repo.ask("cat-file", "--batch-check=%(objectsize) %(objectname)", feed=True) as asking:
        lines = asking.answer(stdin=asked).split("\n")
    blobs = [_pointer(line, size) for line, size in zip(lines, sizes, strict=True)]
    texts = repo.contents({blob for blob in blobs if blob}) if any(blobs) else {}
    return [annex_key(texts[blob]) if blob else None for blob in blobs]


def _pointer(line: str, size: int) -> Sha | None:
    """Return of a line about a blob of git which one may be a pointer, for a file of a size."""
    words = line.split(" ")
    is_known = len(words) == 2 and words[0].isdigit()  # else "… missing"
    return Sha(words[1]) if is_known and int(words[0]) <= _LONGEST_POINTER and int(words[0]) != size else None


def _place(objects: str, name: str) -> str:
    """Return where the content of a key lies below ``objects``, by the key's name in files."""
    places = [f"{folder}/{name}/{name}" for folder in _folders(name)]
    return next((place for place in places if os.path.exists(f"{objects}/{place}")), places[0])


def _folders(name: str) -> Iterator[str]:
    """Yield the folders that git-annex may have a key in; the first is usual ("internals: hashing")."""
    import hashlib  # late: see wtwatch.doors.digests

    for sign, meant in (("%", "/"), ("&c", ":"), ("&s", "%"), ("&a", "&")):
        name = name.replace(sign, meant)
    digest = hashlib.md5(os.fsencode(name), usedforsecurity=False)
    number = int.from_bytes(digest.digest()[:4], "little")
    a, b, c, d = (_LETTERS[number >> 6 * place & 31] for place in range(4))
    text = digest.hexdigest()
    yield from (f"{b}{a}/{d}{c}", f"{text[:3]}/{text[3:6]}", f"{b}{a}", text[:3])
