"""Where a move of a project's bookmark leaves its traces: the folders to watch, the facts to compare.

git and jj remove and re-create the very folders that hold refs, so the whole chain from the git directory
down to the branch is watched, folder by folder: a recursive watch of ``refs`` overflows the event queue in
a repository that jj drives, since ``refs/jj/keep`` holds a file for every commit. A bookmark that is a
symbolic ref moves where it leads, so all that it leads through counts.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj, refs, traces
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree.codetree import is_present
from wtwatch.words.errors import WtwatchError

RACY = 20_000_000
"""Nanoseconds within which two changes of a file may bear the same time: two ticks of a 100 Hz kernel."""


class Net(NamedTuple):
    """All files that a :func:`truth` is read off: small ones by what they say, others by their stamps."""

    texts: tuple[str, ...] = ()
    listings: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()


class Places(NamedTuple):
    """What must be watched for one project, and what a move can change.

    ``folders`` are to be watched, outer ones first; those that do not exist are waited for. ``bell`` is the
    file that hooks and commands touch; ``chain`` are the folders down to the bookmark, for :func:`marks`. The
    ``net`` is for :func:`caught`. The rest is for :func:`fingerprint`: small files whose ``texts`` count,
    folders whose ``listings`` of names count, files whose ``stamps`` count, and ``trees`` of which counts
    whether it is still the same folder.
    """

    folders: tuple[Path, ...]
    bell: Path
    chain: tuple[Path, ...]
    texts: tuple[Path, ...]
    listings: tuple[Path, ...]
    stamps: tuple[Path, ...]
    trees: tuple[Path, ...]
    net: Net = Net()


def places(project: Project) -> Places:
    """Return the places of a project; a run tree that is missing is left out (ask again when it is back).

    Raises :class:`WtwatchError` if the code repository of the main tree is gone.
    """
    common = Repo(project.main_code).common_dir()
    branches = [common / ref for ref in refs.chain(common, project.bookmark_ref)]
    above = (folder for branch in branches for folder in reversed(branch.parents))
    chain = tuple(dict.fromkeys(folder for folder in above if folder.is_relative_to(common)))
    operations = (jj.store(project.main_code) / "op_heads" / "heads").resolve()
    bell = bell_in(common)
    own = [folder for folder in [_run_git_dir(project, common)] if folder]
    tables = [folder / "reftable" for folder in (common, *own)]  # gitrepository-layout(5)
    return Places(
        folders=(*chain, *own, *tables, operations, bell.parent),
        bell=bell,
        chain=chain,
        texts=(
            *branches,
            *(folder / "HEAD" for folder in own),
            *(folder / "tables.list" for folder in tables),
        ),
        listings=(operations,),
        stamps=(common / "packed-refs", bell, project.state / "state.db", project.state / "config.toml"),
        trees=(project.run_tree, project.run_code),
        net=_net(project, common, (*branches, *(folder / "HEAD" for folder in own)), operations),
    )


def _net(project: Project, common: Path, texts: tuple[Path, ...], operations: Path) -> Net:
    tree, above = RunTree.of(project), Repo(project.run_tree)
    stamps = [common / "packed-refs", *(link / ".git" for link in (tree.path, tree.code_path))]
    noted = (common / ref for ref in (tree.applied_ref, tree.known_ref))
    texts = (*texts, *noted, common / "reftable" / "tables.list")
    if is_present(tree):
        shared, own = above.common_dir(), above.git_dir()
        branches = (shared / ref for ref in refs.chain(shared, f"refs/heads/{tree.branch}"))
        texts = (*texts, own / "HEAD", *branches)
        texts = (*texts, *(folder / "reftable" / "tables.list" for folder in (shared, own)))
        stamps.append(shared / "packed-refs")
    return Net(tuple(map(str, texts)), (str(operations),), tuple(map(str, stamps)))


def caught(at: Places) -> Fingerprint:
    """Return what tells of the files that a :func:`truth` is read off, in a tenth of the time.

    Equal ones mean that it is the same. After a change of this very moment the next one differs anyhow, as
    that of a :func:`fingerprint` does.
    """
    now, stamps = time.time_ns(), [traces.stamp(file) for file in (*at.net.texts, *at.net.stamps)]
    racy = any(stamp is not None and 0 <= now - stamp[3] < RACY for stamp in stamps)
    return (*traces.look((), at.net.listings, ()), *stamps, now if racy else None)


def _run_git_dir(project: Project, common: Path) -> Path | None:
    try:
        own = Repo(project.run_code).git_dir().resolve()
    except WtwatchError:
        return None
    return own if own.parent == common / "worktrees" else None


Fingerprint = tuple[object, ...]
"""What is compared, and never read: equal ones mean that nothing changed."""


def truth(project: Project) -> Fingerprint:
    """Return what a tick goes by, read off files in some 300 µs: the net under all events and fingerprints.

    Where refs lie in tables git is asked for them; else no program is started.
    """
    tree, code, above = RunTree.of(project), Repo(project.main_code), Repo(project.run_tree)
    shared, there = code.common_dir(), is_present(tree)
    return (
        refs.tip_in(code, shared, project.bookmark_ref),
        refs.tip_in(code, shared, tree.applied_ref),
        refs.tip_in(code, shared, tree.known_ref) if project.paths else None,
        jj.operation(project.main_code),
        refs.text_of(Repo(tree.code_path).git_dir() / "HEAD") if there else None,
        refs.text_of(above.git_dir() / "HEAD") if there else None,
        refs.tip_of(above, f"refs/heads/{tree.branch}") if there else None,
    )


def fingerprint(at: Places) -> Fingerprint:
    """Return what tells in some 50 µs, without git, whether anything at ``at`` has changed since.

    Equal fingerprints mean that nothing moved and no command rang. Unequal ones only mean: look. Take it
    before looking, so that a change during the look shows next time. As in git's index (racy-git of git's
    technical documentation), a file that changed this very moment could change again without a trace in
    its times; then the fingerprint differs from every other, and the next one settles it.
    """
    now = time.time_ns()
    changed = [_stamp(file) for file in at.stamps]
    racy = any(stamp is not None and 0 <= now - stamp[2] < RACY for stamp in changed)
    return (*_traces(at), *changed, now if racy else None)


class Marks(NamedTuple):
    """What the folders down to the bookmark bear of their last change, and when that was looked at."""

    stamps: tuple[tuple[int, int] | None, ...]
    taken: int


def marks(at: Places) -> Marks:
    """Return what tells whether refs changed at all since, be it there and back again.

    A :func:`fingerprint` is of what refs say: a folder of refs that is renamed away and back leaves it as it
    was. But any change in a folder, and its own renaming, sets its ctime (inode(7)).
    """
    return Marks(tuple(_changed(folder) for folder in at.chain), time.time_ns())


def stood_still(before: Marks, after: Marks) -> bool:
    """Return whether refs surely did not change in between; not so where the last change was :data:`RACY`."""
    racy = any(stamp and 0 <= before.taken - stamp[1] < RACY for stamp in before.stamps)
    return before.stamps == after.stamps and not racy


def _changed(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def ground(project: Project, at: Places) -> Fingerprint:
    """Return what a step rests on that failed: what moves leave, the truth, settings of git, edits of code.

    As long as it stays the same, trying again would most likely fail again.
    """
    code = Repo(project.run_code)
    own = code.git_dir() if (code.path / ".git").exists() else code.path
    files = (own / "index", code.path, at.bell.parents[1] / "config", own / "config.worktree")
    stamps = [_stamp(file) for file in (*at.stamps, *files)]
    return (*_traces(at), *stamps, *truth(project))


def _traces(at: Places) -> Fingerprint:
    return (
        *(refs.text_of(file) for file in at.texts),
        *(_names(folder) for folder in at.listings),
        *(identity(folder) for folder in at.trees),
    )


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
