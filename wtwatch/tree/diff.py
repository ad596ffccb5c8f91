"""What differs between two commits, path by path."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import NamedTuple

from wtwatch.doors import loose
from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

LITERAL: Mapping[str, str] = {"GIT_LITERAL_PATHSPECS": "1"}

FEW = 200
"""Paths that git is told one by one, where it need not look at all files."""

_HEADER = re.compile(r"([0-9a-f]{40,64}) ([0-9a-f]{40,64})")

_ID = 40
"""Characters of a commit's full name, at least."""


class Change(NamedTuple):
    """One path in which two commits differ: its mode and blob in the old one, and in the new one."""

    path: str
    mode_before: str
    before: Sha
    mode_after: str
    after: Sha


_changes: Memory[tuple[Sha, Sha], tuple[Change, ...]] = Memory(100)
"""What differs between two commits, which never changes."""


def between(repo: Repo, old: Sha, new: Sha) -> tuple[Change, ...]:
    """Return what differs between two commits, path by path."""
    with begun(repo, old, new) as answer:
        return answer()


@contextmanager
def begun(repo: Repo, old: Sha, new: Sha) -> Iterator[Callable[[], tuple[Change, ...]]]:
    """Start to ask what :func:`between` returns, which is what is yielded does."""
    known = _changes.get((old, new))
    if known is not None:
        yield lambda: known
        return
    with between_asked(repo, old, new) as answer:
        yield lambda: _noted(old, new, answer())


def _noted(old: Sha, new: Sha, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    note_between(old, new, changes)
    return changes


@contextmanager
def between_asked(repo: Repo, old: Sha | None, new: Sha | None) -> Iterator[Callable[[], tuple[Change, ...]]]:
    """Start to ask what differs between two commits; what is yielded returns it. From or to none: nothing."""
    if old is None or new is None or old == new:
        yield tuple
        return
    found = loose.between(repo.common_dir(), old, new)
    if found is not None:
        changes = tuple(Change(path, *before, *after) for path, before, after in found)
        yield lambda: changes
        return
    with repo.ask("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new) as asking:
        yield lambda: changes_in(asking.answer())


def note_between(old: Sha, new: Sha, changes: tuple[Change, ...]) -> None:
    """Note what differs between two commits, so that git need not be asked."""
    if min(len(old), len(new)) >= _ID and len(changes) <= FEW:
        _changes[old, new] = changes


def of_pairs(
    repo: Repo, pairs: Iterable[tuple[str, str]], paths: Sequence[str] = ()
) -> dict[tuple[str, str], tuple[Change, ...]]:
    """Return what differs in each pair of trees, path by path; nothing for a pair that is alike.

    With ``paths``: there alone. By one git (git-diff-tree(1), --stdin).
    """
    asked = "".join(f"{old} {new}\n" for old, new in pairs if old != new)
    if not asked:
        return {}
    words = ("diff-tree", "--stdin", "-r", "--raw", "--no-renames", "-z", *(["--", *paths] if paths else []))
    with repo.ask(*words, feed=asked, env=LITERAL) as asking:
        fields = iter(asking.answer().split("\0"))
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    pair = ("", "")
    for field in fields:  # a pair ends with a newline, all else with NUL
        *headers, facts = field.split("\n")
        if headers and (said := _HEADER.fullmatch(headers[-1])):
            pair = (said[1], said[2])
        if facts:
            lines, names = found.setdefault(pair, ([], []))
            lines.append(facts)
            names.append(next(fields))
    return {pair: changes_of(*some) for pair, some in found.items()}


def changes_in(listing: str) -> tuple[Change, ...]:
    """Read ``git diff-tree --raw -z``."""
    fields = listing.split("\0")
    return changes_of(fields[:-1:2], fields[1::2])


def changes_of(lines: Sequence[str], paths: Sequence[str]) -> tuple[Change, ...]:
    """Read lines of ``--raw`` with whole ids, and the path of each; all of a line has its place there."""
    digits = len(lines[0].split(" ")[2]) if lines else 0
    blob, blob_now = slice(15, 15 + digits), slice(16 + digits, 16 + 2 * digits)
    befores = ([line[1:7] for line in lines], [line[blob] for line in lines])
    afters = ([line[8:14] for line in lines], [line[blob_now] for line in lines])
    fields = zip(paths, *befores, *afters, strict=True)
    return tuple(
        map(tuple.__new__, repeat(Change), fields)
    )  # as `_make` does, and quicker: there may be many


def paths_of_few(changes: Collection[Change]) -> tuple[str, ...]:
    """Return the words that have git look at the paths of few changes alone; of many, at all files."""
    return ("--", *(change.path for change in changes)) if 0 < len(changes) <= FEW else ()
