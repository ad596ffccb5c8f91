"""What differs in code between the commit that ran and another, and what of that a job used.

Paths of code are as seen from the dataset's top, as :class:`wtwatch.words.uses.Uses` has them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.tree import RunTree
from wtwatch.stale.values import Why
from wtwatch.tree import diff, pathcode
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses

CHANGED, CAME, GONE = "changed", "came", "is gone"

_WORD = re.compile(r"\w+")


class CodeSpan:
    """What differs in code between the commit ``then``, which ran, and ``now``; git is asked once.

    ``files`` are all those that anything asked about used.
    """

    def __init__(self, tree: RunTree, then: Sha, now: Sha, files: Collection[str]) -> None:
        self._tree, self._then, self._now, self._files = tree, then, now, files
        self._repo = Repo(tree.code_path)
        project = tree.project
        self._below = "" if project.paths else f"{project.code}/"
        if project.paths:
            changes = pathcode.between(self._repo, project.paths, then, now)
        else:
            changes = diff.between(self._repo, then, now)
        self._changes = {self._below + change.path: change for change in changes}
        self._known: dict[Uses, tuple[Why, ...]] = {}

    def touching(self, uses: Uses) -> tuple[Why, ...]:
        """Return what of the differences a job with such uses would have seen."""
        if uses not in self._known:
            self._known[uses] = tuple(self._why(path) for path in self._seen(uses))
        return self._known[uses]

    def _seen(self, uses: Uses) -> Iterable[str]:
        if uses.whole is not None:
            return [path for path in self._changes if not self._is_documentation(path)]
        used = frozenset(uses.files)
        found = [path for path in self._changes if path in used or self._led_to(path, used)]
        found += [path for path in self._changes if path not in used and self._is_seen_in(path, uses)]
        return dict.fromkeys(found)

    def _led_to(self, path: str, used: Collection[str]) -> bool:
        """Return whether a subdataset of code changed in which files were used."""
        change = self._changes[path]
        if GITLINK not in (change.mode_before, change.mode_after):
            return False
        return any(one.startswith(f"{path}/") for one in used)

    def _is_seen_in(self, path: str, uses: Uses) -> bool:
        """Return whether a name came or went in a folder that was listed, and counts there."""
        change = self._changes[path]
        if NOTHING not in (change.mode_before, change.mode_after):
            return False
        for folder in _all_above(path):
            if folder in uses.folders and self._is_new_name(folder, path, change):
                return True
            if folder in uses.imported and change.mode_before == NOTHING:
                name = _name_in(folder, path)
                meant = self._is_importable(name.partition(".")[0], uses)
                if meant and self._is_new_name(folder, path, change):
                    return True
        return False

    def _is_new_name(self, folder: str, path: str, change: Change) -> bool:
        """Return whether a path that came, or went, has a name in a folder that was not there, or is not."""
        name = _name_in(folder, path)
        whole = os.path.join(folder, name)  # noqa: PTH118 - words alone
        if whole == path:
            return True
        there = self._now if change.mode_after == NOTHING else self._then
        inside = whole.removeprefix(self._below)
        return not self._repo.succeeds("cat-file", "-e", f"{there}:{inside}")

    def _is_importable(self, name: str, uses: Uses) -> bool:
        """Return whether an import of a job may have meant a name: a word of a file that it used.

        Or a module of Python itself, or of the environment, as those import each other in their turn.
        """
        return name in self._others or any(name in self._words.get(path, ()) for path in uses.files)

    @cached_property
    def _others(self) -> frozenset[str]:
        return sys.stdlib_module_names | {*_installed(self._tree)}

    @cached_property
    def _words(self) -> dict[str, frozenset[str]]:
        """The words of all files that were used, as they were then."""
        paths = [path for path in self._files if "\n" not in path]
        names = "".join(f"{self._then}:{path.removeprefix(self._below)}\n" for path in paths)
        with self._repo.ask("cat-file", "--batch", "--buffer", feed=names) as asking:
            found = dict(zip(paths, asking.objects(), strict=True))
        said = {path: one.body.decode("utf-8", "replace") for path, one in found.items() if one}
        return {path: frozenset(_WORD.findall(text)) for path, text in said.items()}

    def _why(self, path: str) -> Why:
        change = self._changes[path]
        how = CAME if change.mode_before == NOTHING else GONE if change.mode_after == NOTHING else CHANGED
        return Why(path, how)

    def _is_documentation(self, path: str) -> bool:
        inside = path.removeprefix(self._below)
        tops = ["", *(f"{one}/" for one in self._tree.project.paths)]
        if inside.endswith(".md"):
            return True
        rests = [inside.removeprefix(top) for top in tops if inside.startswith(top)]
        return any(rest.startswith("docs/") or fnmatchcase(rest, "README*") for rest in rests)


def changed_in(tree: RunTree, path: str, then: Sha, now: Sha) -> Sha | None:
    """Return the newest commit that changed a path of code, if it was one of ``now`` beyond ``then``."""
    inside = path if tree.project.paths else path.removeprefix(f"{tree.project.code}/")
    words = ("log", "-1", "--format=%H", f"{then}..{now}", "--", f":(top,literal){inside}")
    found = Repo(tree.code_path).git(*words, ok=(0, 128))
    return Sha(found) if found else None


def _all_above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the innermost first; the dataset's top is ``""``."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _name_in(folder: str, path: str) -> str:
    return path[len(folder) + 1 if folder else 0 :].partition("/")[0]


def _installed(tree: RunTree) -> Iterator[str]:
    """Yield the top names that can be imported from the environment."""
    for site in tree.prefix.glob("lib/python*/site-packages"):
        for entry in os.scandir(site):
            yield entry.name.partition(".")[0]
