"""Where a move of a project's bookmark leaves its traces: the folders to watch, the facts to compare.

git and jj remove and re-create the very folders that hold refs, so the whole chain from the git directory
down to the branch is watched, folder by folder: a recursive watch of ``refs`` overflows the event queue in
a repository that jj drives, since ``refs/jj/keep`` holds a file for every commit.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.words.errors import WtwatchError

RACY = 20_000_000
"""Nanoseconds within which two changes of a file may bear the same time: two ticks of a 100 Hz kernel."""


class Places(NamedTuple):
    """What must be watched for one project, and what a move can change.

    ``folders`` are to be watched, outer ones first; those that do not exist are waited for. ``bell`` is the
    file that hooks and commands touch. The rest is for :func:`fingerprint`: small files whose ``texts``
    count, folders whose ``listings`` of names count, files whose ``stamps`` count, and ``trees`` of which
    only counts whether it is still the same folder.
    """

    folders: tuple[Path, ...]
    bell: Path
    texts: tuple[Path, ...]
    listings: tuple[Path, ...]
    stamps: tuple[Path, ...]
    trees: tuple[Path, ...]


def places(project: Project) -> Places:
    """Return the places of a project; a run tree that is missing is left out (ask again when it is back).

    Starts git once. Raises :class:`WtwatchError` if the code repository of the main tree is gone.
    """
    common = Repo(project.main_code).common_dir()
    branch = common / project.bookmark_ref
    chain = [folder for folder in reversed(branch.parents) if folder.is_relative_to(common)]
    operations = (jj.store(project.main_code) / "op_heads" / "heads").resolve()
    bell = bell_in(common)
    own = [folder for folder in [_run_git_dir(project, common)] if folder]
    tables = [folder / "reftable" for folder in (common, *own)]  # gitrepository-layout(5)
    return Places(
        folders=(*chain, *own, *tables, operations, bell.parent),
        bell=bell,
        texts=(branch, *(folder / "HEAD" for folder in own), *(folder / "tables.list" for folder in tables)),
        listings=(operations,),
        stamps=(common / "packed-refs", bell, project.state / "state.db", project.state / "config.toml"),
        trees=(project.run_tree, project.run_code),
    )


def _run_git_dir(project: Project, common: Path) -> Path | None:
    try:
        own = Repo(project.run_code).git_dir().resolve()
    except WtwatchError:
        return None
    return own if own.parent == common / "worktrees" else None


Fingerprint = tuple[object, ...]


def fingerprint(at: Places) -> Fingerprint:
    """Return what tells in some 50 µs, without git, whether anything at ``at`` has changed since.

    Equal fingerprints mean that nothing moved and no command rang. Unequal ones only mean: look. Take it
    before looking, so that a change during the look shows next time. As in git's index (racy-git of git's
    technical documentation), a file that changed this very moment could change again without a trace in
    its times; then the fingerprint differs from every other, and the next one settles it.
    """
    stamps = [_stamp(file) for file in at.stamps]
    now = time.time_ns()
    racy = any(stamp is not None and 0 <= now - stamp[2] < RACY for stamp in stamps)
    return (
        *(_text(file) for file in at.texts),
        *(_names(folder) for folder in at.listings),
        *stamps,
        *(identity(folder) for folder in at.trees),
        now if racy else None,
    )


def _text(file: Path) -> bytes | None:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(handle, 65536)
    except OSError:  # a folder: the bookmark made way for bookmarks beneath it
        return None
    finally:
        os.close(handle)


def _names(folder: Path) -> tuple[str, ...] | None:
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - names alone, at half the cost
    except OSError:
        return None


def _stamp(file: Path) -> tuple[int, int, int] | None:
    # never opened: closing a database would drop the locks that SQLite holds on it in this process (fcntl(2))
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def identity(folder: Path | str) -> tuple[int, int] | None:
    """Return which folder this is (device and inode), or ``None`` where there is none."""
    try:
        found = os.stat(folder)  # noqa: PTH116 - half the cost, and texts will do
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None
