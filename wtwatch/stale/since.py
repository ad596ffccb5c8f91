"""Which paths nobody touched since a commit: so their content need not be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wtwatch.words.model import Sha


class Since:
    """What was touched along ``line``, the first parents of a commit, newest first, each with its paths."""

    def __init__(self, line: Sequence[tuple[Sha, Sequence[str]]]) -> None:
        self._age = {commit: age for age, (commit, _) in enumerate(line)}
        self._touched: dict[str, int] = {}  # the age of the newest commit that did
        self._below: dict[str, int] = {}
        self._above: dict[str, int] = {}
        for age, (_, paths) in enumerate(line):
            for path in paths:
                self._touched.setdefault(path, age)
                for folder in _all_above(path):
                    if folder in self._below:  # and so are those above it
                        break
                    self._below[folder] = age

    def touched(self, commit: Sha, place: str) -> bool:
        """Return whether a file or folder may be another one than at a commit; the top is ``""``."""
        age = self._age.get(commit)
        if age is None:
            return True
        own = min(self._below.get(place, age), self._touched.get(place, age))
        return own < age or (place != "" and self._newest(place.rpartition("/")[0]) < age)

    def _newest(self, folder: str) -> int:
        """Return the age of the newest commit that had a file in the place of a folder, or above it."""
        if folder not in self._above:
            ages = (self._touched.get(path, len(self._age)) for path in (folder, *_all_above(folder)))
            self._above[folder] = min(ages)
        return self._above[folder]


NOBODY_KNOWS = Since(())
"""For all commits: anything may have been touched."""


def _all_above(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path
