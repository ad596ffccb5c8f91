"""What a commit of code is, as far as a move has to know it; that never changes, so git is asked once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wtwatch.doors import loose
from wtwatch.doors.memory import Memory
from wtwatch.doors.porcelain import GitObject, TreeEntry
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

LARGE = 500
"""Entries at the top of a commit from which on it is not remembered."""


class Named(NamedTuple):
    """A commit of code: the subject of its message, what lies at its top, and the id of that tree."""

    subject: str
    top: tuple[TreeEntry, ...]
    tree: Sha


_known: Memory[Sha, Named] = Memory(128)


@contextmanager
def asked(repo: Repo, commit: Sha | None) -> Iterator[Callable[[], Named | None]]:
    """Start to ask what a commit is; what is yielded returns it, ``None`` if git does not have it."""
    known = _known.get(commit) if commit else None
    if commit is None or known:
        yield lambda: known
        return
    with loose.asked(repo, (commit, f"{commit}^{{tree}}")) as read:
        yield lambda: _note(commit, *read())


def _note(commit: Sha, found: GitObject | None, tree: GitObject | None) -> Named | None:
    if found is None or tree is None:
        return None
    named = Named(found.subject(), tree.entries(), tree.sha)
    if len(named.top) < LARGE:
        _known[commit] = named
    return named


def of(repo: Repo, commit: Sha | None) -> Named | None:
    """Return what a commit is, ``None`` if git does not have it."""
    with asked(repo, commit) as answer:
        return answer()
