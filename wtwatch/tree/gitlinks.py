"""Which subdatasets the HEAD of a dataset names: git is asked once, as that of a commit never changes.

A process that a job has to itself would ask for each dataset of the tree, one after the other; so it is told
what the daemon knows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree import diff
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

Links = tuple[Sha, tuple[str, ...]]
"""A commit, and the paths of its gitlinks."""

Named = tuple[str, Sha, tuple[str, ...]]
"""The same of a subdataset, whose path from the top comes first."""

_known: dict[Path, Links] = {}
"""The gitlinks of the HEAD that was looked at last, by repository."""


def gitlinks(repo: Repo) -> tuple[str, ...]:
    """Return the paths of the gitlinks in HEAD, of which those of a commit never change.

    Of the next commit only what it changes is looked at, as there may be very many files.
    """
    head = head_of(repo)
    if head is None:
        return ()
    known = _known.get(repo.path)
    if known is None or known[0] != head:
        note(repo.path, head, _asked(repo, head, known))
    return _known[repo.path][1]


def note(folder: Path, head: Sha, paths: Sequence[str]) -> None:
    """Note what the gitlinks of a commit of the repository at ``folder`` are, so that git is not asked."""
    _known[folder] = (head, tuple(paths))


def known_below(top: Path) -> tuple[Named, ...]:
    """Return what is known of the subdatasets below ``top``, for another process to :func:`take_over`."""
    inside = ((folder, links) for folder, links in _known.items() if top in folder.parents)
    return tuple((str(folder.relative_to(top)), *links) for folder, links in inside)


def take_over(top: Path, below: Iterable[Named]) -> None:
    """Note what another process knew of the subdatasets of the tree at ``top``."""
    for path, head, links in below:
        note(top / path, head, links)


def _asked(repo: Repo, head: Sha, known: Links | None) -> tuple[str, ...]:
    if known is not None:
        with suppress(WtwatchError):  # that commit may be gone
            changed = diff.between(repo, known[0], head)
            gone = {change.path for change in changed if change.mode_before == GITLINK}
            new = {change.path for change in changed if change.mode_after == GITLINK}
            return tuple(sorted({*known[1]} - gone | new, key=os.fsencode))
    listing = repo.git("ls-tree", "-r", "-z", "--full-tree", head).split("\0")
    return tuple(line.split("\t", 1)[1] for line in listing if line.startswith(GITLINK))
