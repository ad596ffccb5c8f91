"""The two links between a worktree and its repository (gitrepository-layout(5)), written anew after a move.

Git's own repair does not write through the link that git-annex makes of a worktree's ``.git`` file.
"""

from __future__ import annotations

import os
from pathlib import Path

from wtwatch.doors.files import sync_folder, write_whole


def tie(link: Path, admin: Path) -> None:
    """Have ``link``, a worktree's ``.git``, and ``admin``, its folder in the repository, name each other.

    A symlink stays one, as git-annex makes it. Drafts of one that was killed at this are taken away.
    """
    for draft in (*link.parent.glob(f".{link.name}.*"), *link.parent.glob(f"{link.name}.*.wtwatch")):
        draft.unlink(missing_ok=True)
    if link.is_symlink():
        _point(link, os.path.relpath(admin, link.parent))
    else:
        write_whole(link, f"gitdir: {admin}\n")
    write_whole(admin / "gitdir", f"{link}\n")


def _point(link: Path, target: str) -> None:
    draft = link.with_name(f".git.{os.getpid()}.wtwatch")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
    sync_folder(link.parent)
