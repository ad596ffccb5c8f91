"""The door to GitPython, which reads commits as objects. It takes 95 ms to load, so it is loaded late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wtwatch.words.model import Sha

if TYPE_CHECKING:
    from git import Commit
    from git import Repo as Opened


@contextmanager
def history(path: Path) -> Iterator[HistoryReader]:
    """Open the repository at ``path`` to read commits as objects; closes it again (GitPython leaks else)."""
    from git import Repo as Opened

    with Opened(path) as opened:
        yield HistoryReader(opened)


class HistoryReader:
    """Commits as objects of GitPython; see :func:`history`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def commits(self, revisions: str) -> Iterator[Commit]:
        """Yield the commits that ``revisions`` names (gitrevisions(7)), newest first."""
        yield from self._opened.iter_commits(revisions)

    def gitlink(self, commit: str, path: str) -> Sha | None:
        """Return the commit that ``commit`` records for the subdataset at ``path``, if it does."""
        try:
            found = self._opened.commit(commit).tree / path
        except KeyError:
            return None
        return Sha(found.hexsha) if found.type == "submodule" else None
