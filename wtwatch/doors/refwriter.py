"""Refs of ours that change one after another, by one git that is at work meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Self

from wtwatch.doors.repo import Repo
from wtwatch.words.errors import CommandFailed
from wtwatch.words.model import Sha


class RefWriter:
    """A git that waits to be told of refs below ``refs/wtwatch/`` (git-update-ref(1), --stdin).

    It starts beside what its caller does until then. ``why`` goes into the reflogs of those that have one. As
    a context manager it is ended with the body.
    """

    def __init__(self, repo: Repo, why: str) -> None:
        self._repo, self._why, self._ended = repo, why, False
        self._asking = repo.ask("update-ref", "-m", f"wtwatch: {why}", "--stdin", feed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()

    def update(self, refs: Mapping[str, Sha]) -> None:
        """Point refs to commits: all at once, or none."""
        if not self._told(f"update {ref} {commit}" for ref, commit in sorted(refs.items())):
            self._repo.update_refs(refs, why=self._why)

    def delete(self, refs: Collection[str]) -> None:
        """Delete refs, if they are there: all at once, or none."""
        lines = [f"delete {ref}" for ref in sorted(refs)]
        if not self._told(lines):
            self._repo.git("update-ref", "--stdin", stdin="".join(f"{line}\n" for line in lines))

    def _told(self, lines: Iterable[str]) -> bool:
        """Return whether git did what the lines say; it ends where it cannot, say at a lock."""
        try:
            if not self._ended:
                self._asking.told("\n".join(["start", *lines, "commit", ""]), end=b"commit: ok\n")
        except CommandFailed:
            self._ended = True
        return not self._ended
