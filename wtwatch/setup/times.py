"""Files of a new worktree get the times that they have in the main tree: make and its like go by them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.porcelain import parse_status
from wtwatch.doors.repo import GITLINK, UNFILTERED, Repo
from wtwatch.setup.dotgit import is_annexed
from wtwatch.tree import bytewise
from wtwatch.words.model import Sha

_Entry = tuple[str, Sha]
"""The mode and the blob of a file in an index."""


def take_over(main: Path, tree: Path) -> None:
    """Give files of the worktree ``tree``, which was just made, the modification times of those in ``main``.

    Of files, and of links into the annex, that are the same in both, and not edited in the main tree. Content
    of unlocked files keeps its own: git-annex has a note of it, and would read the content anew. The index is
    brought up to date, so that no status has to look into files.
    """
    theirs, ours = Repo(main), Repo(tree)
    # not `git diff`, which writes the index of the main tree anew, and leaves its lock there if it is killed
    status = ("status", "--porcelain=v2", "-z", "--untracked-files=no", "--ignore-submodules=all")
    with theirs.ask(*UNFILTERED, *status) as edited_asked:
        here, there = _listed(ours), _listed(theirs)
        edited = frozenset(parse_status(edited_asked.answer()).edited)
    same = {path: entry for path, entry in here.items() if there.get(path) == entry and path not in edited}
    sizes = _sizes(ours, same) if is_annexed(tree) else {}
    taken = [
        _take_over(f"{main}/{path}", f"{tree}/{path}", sizes.get(blob)) for path, (_, blob) in same.items()
    ]
    if any(taken):
        ours.git(*UNFILTERED, "update-index", "-q", "--refresh", ok=(0, 1))


def _listed(repo: Repo) -> dict[str, _Entry]:
    """Return the files and links in the index of a work tree."""
    lines = (line.partition("\t") for line in repo.git("ls-files", "-s", "-z").split("\0") if line)
    facts = ((path, head.split()) for head, _, path in lines)
    return {
        path: (mode, Sha(blob)) for path, (mode, blob, stage) in facts if stage == "0" and mode != GITLINK
    }


def _sizes(repo: Repo, files: Mapping[str, _Entry]) -> dict[Sha, int]:
    """Return how many bytes git has of each file; not of links."""
    blobs = {blob for mode, blob in files.values() if mode != bytewise.LINK}
    return repo.sizes(blobs) if blobs else {}


def _take_over(theirs: str, ours: str, size: int | None) -> bool:
    """Set the time of a file, unless it is not of that size; return whether it had another one."""
    with suppress(OSError):  # gone just now
        wanted, now = os.lstat(theirs), os.lstat(ours)
        if now.st_mtime_ns != wanted.st_mtime_ns and size in (None, now.st_size):
            os.utime(ours, ns=(now.st_atime_ns, wanted.st_mtime_ns), follow_symlinks=False)
            return True
    return False
