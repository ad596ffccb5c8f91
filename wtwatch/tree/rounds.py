"""Walks through all processes that several threads share: who asks during one has the answer of the next.

A walk takes some milliseconds of one processor, and where a hundred projects move at once, each has to know
who works there.
"""

from __future__ import annotations

from threading import Condition

from wtwatch.tree.walk import Folder, Walk


class _Round:
    """One walk to come, for these folders; what it found, once it is over."""

    def __init__(self) -> None:
        self.folders: set[Folder] = set()
        self.found: dict[Folder, set[int]] | None = None


class Rounds:
    """One walk at a time, for any thread."""

    def __init__(self) -> None:
        self._change = Condition()
        self._next = _Round()
        self._walking = False

    def users_of(self, folder: Folder) -> set[int]:
        """Return who uses a folder, as :class:`Walk` has it, by a walk that begins after this is asked."""
        with self._change:
            mine = self._next
            mine.folders.add(folder)
            while self._walking and mine.found is None:
                self._change.wait()
            if mine.found is not None:
                return mine.found[folder]
            self._walking = True
            if self._next is mine:
                self._next = _Round()
        try:
            mine.found = Walk(mine.folders).users
            return mine.found[folder]
        finally:
            with self._change:
                self._walking = False
                self._change.notify_all()
