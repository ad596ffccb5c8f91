"""Files in declared outputs that the same command made before and does not make any more.

A file counts only where nobody wrote it anew (its inode and times are as before the command), the command
wrote something else in that declared folder or glob, and the commit that made the file has a record of the
very same run. What is hand-made, of another job, or of a declared file that a command may pass over, is never
among them.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.dataset import record_of
from wtwatch.doors.porcelain import Change, TreeEntry, parse_tree
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder, Order
from wtwatch.job.preparing import files_at
from wtwatch.job.readiness import listed
from wtwatch.tree.diff import FEW
from wtwatch.tree.states import After
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

_SAME = ("cmd", "pwd", "inputs", "extra_inputs", "outputs")
"""What two records of one run have in common (datalad-run(1)); what they measured may differ."""

_LOG = (
    "log",
    "--no-show-signature",
    "--no-renames",
    "--diff-filter=AMT",
    "--name-only",
    "-z",
    "--format=%x01%H",
)

_Mark = tuple[int, int, int]


class Stood(NamedTuple):
    """A declared folder or glob, as an absolute pattern, and the files there: inode and times of each."""

    pattern: str
    files: Mapping[str, _Mark]


class Outlived(NamedTuple):
    """The files from the top that a command makes no more, and whether they were removed by that."""

    paths: tuple[str, ...] = ()
    removed: bool = False


def in_words(folder: Folder) -> Iterator[str]:
    """Yield what is to be said of a good end: what its command makes no more, that its changes are none."""
    found = Outlived()
    try:
        found = Outlived(*folder.outlived())
    except WtwatchError as error:  # the end itself is told all the same
        yield f"what it does not make any more is not known: {error.message}"
    if found.paths:
        what = "and was removed" if found.removed else "and is still there"
        yield f"what it does not make any more {what}: {listed(found.paths)}"
    if folder.was_ignored():
        yield "only what ignore_outputs names changed, which was put back"


def look(folder: str, declared: Iterable[str]) -> list[Stood]:
    """Return how declared outputs stand that are folders or globs; ``folder`` is what they are seen from."""
    places = (os.path.normpath(os.path.join(folder, one)) for one in declared)  # noqa: PTH118 - words alone
    return [Stood(place, _marks(place)) for place in places if Path(place).is_dir() or glob.has_magic(place)]


def left_alone(stood: Sequence[Stood]) -> list[str]:
    """Return the files that a command, which is over, passed over where it wrote others, by absolute path."""
    found = dict[str, None]()
    for one in stood:
        marks = _marks(one.pattern)
        same = [path for path, mark in one.files.items() if marks.get(path) == mark]
        if len(same) < len(marks):  # else it may be one that passes over what is there
            found.update(dict.fromkeys(same))
    return list(found)


def settled(
    order: Order, record: Mapping[str, Any], stood: Sequence[Stood], after: After
) -> tuple[After, Outlived]:
    """Return which files a command makes no more, and how the tree stands after that was acted upon.

    They are removed where the project's settings say so, else left. Raises :class:`WtwatchError` and
    :class:`OSError`.
    """
    passed = left_alone(stood)
    top = order.run_tree
    paths = made_before(top, [state.path for state in after.datasets], passed, record) if passed else []
    if paths and order.prune_outputs:
        after = removed(top, after, paths)
    return after, Outlived(tuple(paths), order.prune_outputs)


def made_before(
    top: Path, datasets: Iterable[str], paths: Sequence[str], record: Mapping[str, Any]
) -> list[str]:
    """Return those of the absolute ``paths`` that a run with the same ``record`` made, from the top.

    ``datasets`` are the paths of all datasets from there. Raises :class:`WtwatchError`.
    """
    inside: dict[str, list[str]] = {}
    known = sorted(datasets, key=len, reverse=True)
    for path in paths:
        name = os.path.relpath(path, top)
        home = next((one for one in known if not one or name.startswith(f"{one}/")), "")
        inside.setdefault(home, []).append(os.path.relpath(name, home or "."))
    return sorted(
        os.path.join(home, name)  # noqa: PTH118 - words alone; the top has none
        for home, names in inside.items()
        for name in _of_same(Repo(top / home), names, record)
    )


def removed(top: Path, after: After, paths: Iterable[str]) -> After:
    """Remove files, given from the top; return how the tree stands by that."""
    datasets = []
    left = set(paths)
    for state in sorted(after.datasets, key=lambda one: len(one.path), reverse=True):
        prefix = f"{state.path}/" if state.path else ""
        mine = {path.removeprefix(prefix) for path in left if path.startswith(prefix)}
        left -= {f"{prefix}{name}" for name in mine}
        entries = _entries(Repo(top / state.path), state.head, sorted(mine)) if mine and state.head else {}
        entries = {name: entry for name, entry in entries.items() if name in mine}
        for name in entries:
            (top / state.path / name).unlink(missing_ok=True)
        others = tuple(change for change in state.changes if change.path not in entries)
        gone = tuple(
            Change(name, ".", "D", (entry.mode, entry.sha), (entry.mode, entry.sha))
            for name, entry in entries.items()
        )
        datasets.append(state._replace(changes=(*others, *gone)))
    order = {state.path: number for number, state in enumerate(after.datasets)}
    return after._replace(datasets=tuple(sorted(datasets, key=lambda one: order[one.path])))


def _marks(pattern: str) -> dict[str, _Mark]:
    places = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    found = {}
    for file in (file for place in places for file in files_at(place)):
        with suppress(FileNotFoundError):
            stat = os.lstat(file)
            found[file] = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    return found


def _of_same(repo: Repo, names: Sequence[str], record: Mapping[str, Any]) -> Iterator[str]:
    head = head_of(repo)
    if head is None:
        return
    made = dict[str, Sha]()
    only = [f":(literal){name}" for name in names] if len(names) <= FEW else []
    for commit, written in _commits(repo.told(*_LOG, head, "--", *only)):
        for name in written:
            made.setdefault(name, commit)
    now = _entries(repo, head, names)
    for commit in dict.fromkeys(made.values()):
        of_it = [name for name in names if made.get(name) == commit and name in now]
        if not of_it or not _is_same(repo, commit, record):
            continue
        then = _entries(repo, commit, of_it)
        yield from (name for name in of_it if name in then and then[name].sha == now[name].sha)


def _entries(repo: Repo, commit: Sha, names: Sequence[str]) -> dict[str, TreeEntry]:
    if len(names) <= FEW:
        return repo.tree(commit, *names)
    return {
        entry.path: entry for entry in parse_tree(repo.told("ls-tree", "-r", "-z", "--full-tree", commit))
    }


def _is_same(repo: Repo, commit: Sha, record: Mapping[str, Any]) -> bool:
    try:
        earlier = record_of(repo.path, commit)
    except WtwatchError:  # nobody can tell
        return False
    return earlier is not None and all((earlier.get(key) or []) == (record.get(key) or []) for key in _SAME)


def _commits(told: str) -> Iterator[tuple[Sha, list[str]]]:
    """Read what `git log` says: of each commit the files that it wrote."""
    for one in filter(None, told.split("\1")):
        commit, *names = one.split("\0")
        yield Sha(commit.strip()), [name.lstrip("\n") for name in names if name.strip("\n")]
