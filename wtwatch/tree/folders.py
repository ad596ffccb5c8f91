"""Where in a large work tree something may differ since a moment: in folders that were touched, if at all.

An annexed file is a symlink, and nobody writes to one: another file takes its place. That leaves a trace in
its folder, as does whatever is made or removed there: the time of its last change (inode(7), st_ctime), which
nobody can set. So of what a folder has that nobody touched, only files that are no symlinks, and subdatasets,
need a look. A hundred thousand files lie in a few hundred folders.

Wherever that is not sure, there is no :class:`Scope`, and all is looked at.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import loose
from wtwatch.doors.clock import Instant, elapsed
from wtwatch.doors.files import write_whole
from wtwatch.doors.mounts import filesystem
from wtwatch.doors.porcelain import GITLINK, GitObject
from wtwatch.doors.repo import Repo
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

SETTLED = 10.0
"""Seconds: a folder that was touched later than so long before its mark may have been so after the look."""

MANY = 200
"""Places that git is asked of one by one; of more, it looks at all."""

_FOLDERS = 5000
"""Folders that are looked at here: in a few hundredths of a second."""

_LARGE = 1 << 17
"""Bytes of a tree, of some 3,000 names, from which on git looks at its folder, touched or not."""

_TEXTS = 50
"""Files of a folder that are no symlinks, of which git is asked one by one."""

_DAY = 24 * 3600.0
"""Seconds until the folders are counted again, of which there were too many."""

_NEW = 50
"""Trees that are read anew each time, before what is known of them is written down."""

_COUNTING = ("ext2", "ext3", "ext4", "xfs", "tmpfs")
"""File systems of this host on which a folder counts its subfolders: it has two links more (inode(7))."""

_FOLDER, _LINK, _DATASET = b"40000", b"120000", GITLINK.encode()
_VERSION = 1


class Scope(NamedTuple):
    """Where alone something may differ from the commit ``head``, by paths as the repository has them.

    ``tracked``: files and folders to be held against the index, which itself has to be that of ``head``.
    ``others``: folders in which files may lie that git does not track.
    """

    head: Sha
    tracked: tuple[str, ...]
    others: tuple[str, ...]


class _Tree(NamedTuple):
    """What is in a folder: subfolders with their ids; files that are no symlinks; subdatasets; a symlink.

    ``None`` for subfolders: git has to look at it, touched or not.
    """

    folders: dict[str, str] | None
    files: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    link: str | None = None


Stamp = tuple[int, int, int, int]
"""A folder's device, inode, time of its last change in nanoseconds, and number of links."""


class Marks:
    """How the folders of a work tree stood at a moment, which was clean then; see :func:`marked`."""

    def __init__(self, top: Path, head: Sha, trees: dict[str, _Tree], since: int) -> None:
        """Look at the folders of ``trees``, the work tree's at ``top``; raises :class:`_Unsure`.

        ``since``: a time in nanoseconds after which they may have been touched without the look seeing it.
        """
        self._top, self._head = top, head
        self._asked = list(_named(trees, "files")) + list(_named(trees, "datasets"))
        self._stamps: dict[str, Stamp] = {}
        self._touched: set[str] = set()
        self._untracked: set[str] = set()
        device = os.lstat(top).st_dev
        for path, tree in trees.items():
            stamp = _stamp(top, path)
            if stamp is None or stamp[0] != device or stamp[3] < 2:
                raise _Unsure
            self._stamps[path] = stamp
            if stamp[2] >= since or tree.folders is None:
                self._touched.add(path)
            elif stamp[3] - 2 != self._known_inside(path, tree):
                self._untracked.update(self._others_inside(path, tree))
        if self.scope() is None:
            raise _Unsure
        if not all(stat.S_ISLNK(os.lstat(top / path).st_mode) for path in _a_link(trees)):
            raise _Unsure  # core.symlinks of git-config(1): they are files

    def scope(self) -> Scope | None:
        """Return where something may differ by now; ``None``: anywhere."""
        touched = self._touched | {
            path for path, stamp in self._stamps.items() if _stamp(self._top, path) != stamp
        }
        inside = outermost(touched)
        tracked = (*self._asked, *inside)
        others = outermost(touched | self._untracked)
        if "" in touched or not self._asked or len(tracked) + len(others) > MANY:
            return None
        return Scope(self._head, tracked, others)

    def _known_inside(self, path: str, tree: _Tree) -> int:
        """Return how many folders are in one as git has it: those of subdatasets may be there or not."""
        names = [*tree.datasets, *([] if path else [".git"])]
        return len(tree.folders or ()) + sum(
            _stamp(self._top, _join(path, name)) is not None for name in names
        )

    def _others_inside(self, path: str, tree: _Tree) -> Iterator[str]:
        """Yield the folders in one that git does not track anything in."""
        known = {*(tree.folders or ()), *tree.datasets, ".git"}
        with os.scandir(self._top / path) as found:
            for one in found:
                if one.name not in known and one.is_dir(follow_symlinks=False):
                    yield _join(path, one.name)


class _Unsure(Exception):
    """All has to be looked at."""


def marked(top: Path, head: Sha, began: Instant, notes: Path) -> Marks | None:
    """Return how the folders of the work tree at ``top`` stand; ``None`` where all has to be looked at later.

    A look that ``began`` then has found nothing there that differs from its commit ``head``, neither tracked
    nor not. What trees hold is noted in the file ``notes``, as it never changes.
    """
    since = time.time_ns() - int(SETTLED * 1e9)  # at first: this process may be held up at any moment
    ago = elapsed(began)
    if ago is None or ago > SETTLED / 2:
        return None
    with suppress(_Unsure, WtwatchError, OSError, ValueError):
        if filesystem(os.lstat(top).st_dev) in _COUNTING:
            return Marks(top, head, _trees(Repo(top), head, notes), since)
    return None


def outermost(folders: Collection[str]) -> tuple[str, ...]:
    """Return folders without those that lie in others of them, each with a slash at its end."""
    found: list[str] = []
    for path in sorted(f"{folder}/" for folder in folders):
        if not found or not path.startswith(found[-1]):
            found.append(path)
    return tuple(found)


def _stamp(top: Path, path: str) -> Stamp | None:
    """Return how a folder stands; ``None`` where there is none."""
    try:
        found = os.lstat(f"{top}/{path}")
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_nlink


def _named(trees: dict[str, _Tree], kind: str) -> Iterator[str]:
    for path, tree in trees.items():
        yield from (_join(path, name) for name in getattr(tree, kind))


def _a_link(trees: dict[str, _Tree]) -> list[str]:
    """Return one symlink that git tracks, if there is any."""
    return [_join(path, tree.link) for path, tree in trees.items() if tree.link is not None][:1]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _trees(repo: Repo, head: Sha, notes: Path) -> dict[str, _Tree]:
    """Return what is in each folder of a commit, by its path, outside in."""
    known, new = _noted(notes), 0
    found: dict[str, _Tree] = {}
    used: dict[str, _Tree] = {}
    is_much = False
    level = [("", f"{head}^{{tree}}")]
    while level and not is_much:
        lacking = list(dict.fromkeys(name for _, name in level if name not in known))
        read = dict(_read(repo, lacking))
        new += len(read)
        for path, name in level:
            found[path] = used[name] = read.get(name) or known[name]
        is_much = len(found) > _FOLDERS
        level = [
            (_join(path, sub), sha) for path, name in level for sub, sha in (used[name].folders or {}).items()
        ]
    if new > _NEW or not known:
        with suppress(OSError):
            write_whole(notes, json.dumps({"version": _VERSION, "trees": {} if is_much else used}))
    if is_much:
        raise _Unsure
    return found


def _read(repo: Repo, names: Sequence[str]) -> Iterable[tuple[str, _Tree]]:
    """Yield what is in trees, by the names that they were asked by; raises :class:`_Unsure` without one."""
    if not names:
        return
    with loose.asked(repo, names) as asking:
        for name, one in zip(names, asking(), strict=True):
            if one is None:
                raise _Unsure
            yield name, _in(one)


def _in(tree: GitObject) -> _Tree:
    if len(tree.body) > _LARGE:
        return _Tree(None)
    entries = tree.raw_entries()
    if entries is None:
        raise _Unsure
    links = [name for mode, name, _ in entries if mode == _LINK]
    files = [name for mode, name, _ in entries if mode not in (_FOLDER, _LINK, _DATASET)]
    if len(files) > _TEXTS:
        return _Tree(None)
    return _Tree(
        {_text(name): sha.hex() for mode, name, sha in entries if mode == _FOLDER},
        tuple(map(_text, files)),
        tuple(_text(name) for mode, name, _ in entries if mode == _DATASET),
        _text(links[0]) if links else None,
    )


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _noted(notes: Path) -> dict[str, _Tree]:
    """Return what was noted of trees, by their ids; what cannot be read, is read anew in git.

    Raises :class:`_Unsure` where there were too many of them, a while ago.
    """
    try:
        facts = json.loads(notes.read_bytes())
        if facts["version"] != _VERSION:
            return {}
        trees = {
            sha: _Tree(folders, tuple(files), tuple(datasets), link)
            for sha, (folders, files, datasets, link) in facts["trees"].items()
        }
        age = time.time() - notes.stat().st_mtime
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    if not trees and 0 <= age < _DAY:
        raise _Unsure
    return trees
