"""Answers that can never change, such as what a commit holds: each is asked for once."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """The last ``most`` answers, by what was asked; for any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[K, V] = {}
        self._lock = Lock()

    def __contains__(self, key: K) -> bool:
        return key in self._known

    def get(self, key: K) -> V | None:
        """Return an answer that is remembered."""
        return self._known.get(key)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._known.clear()

    def __setitem__(self, key: K, answer: V) -> None:
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = answer
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
