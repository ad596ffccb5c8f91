"""What differs between two commits, asked once: a merge goes by it to plan, to see what bars it, to tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.logged import Logged, logged
from wtwatch.doors.memory import Memory
from wtwatch.doors.porcelain import parse_tree
from wtwatch.doors.repo import GITLINK, ZERO, Repo
from wtwatch.tree import diff
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha


class Span(NamedTuple):
    """The commits that one has beyond another: their subjects, oldest first, and who wrote a path last.

    ``gitlinks`` are the commits that they name for each subdataset. ``straight``: they follow the other
    commit, and each other, one by one.
    """

    subjects: tuple[str, ...] = ()
    wrote: Mapping[str, str] = {}
    gitlinks: Mapping[str, tuple[Sha, ...]] = {}
    straight: bool = False


_FACTS = ("%H", "%P", "%s")
_WORDS = ("--reverse", "--ignore-submodules=none")

_known: Memory[tuple[Path, Sha, Sha], tuple[Change, ...]] = Memory(4)
"""By the work tree and both commits, which never change."""

_spans: Memory[tuple[Path, Sha, Sha], Span] = Memory(4)


def between(repo: Repo, old: Sha, new: Sha) -> tuple[Change, ...]:
    """Return what differs between two commits, path by path."""
    asked = (repo.path, old, new)
    found = _known.get(asked)
    if found is None:
        found = _known[asked] = diff.between(repo, old, new)
    return found


def whole(repo: Repo, commit: Sha) -> tuple[Change, ...]:
    """Return all that a commit has, as if there had been nothing before."""
    listing = parse_tree(repo.git("ls-tree", "-r", "-z", "--full-tree", commit))
    return tuple(Change(entry.path, NOTHING, ZERO, entry.mode, entry.sha) for entry in listing)


def history(repo: Repo, commit: Sha) -> Span:
    """Return all commits that lead to one."""
    return _read(list(logged(repo, _FACTS, *_WORDS, commit)))


def span(repo: Repo, old: Sha, new: Sha) -> Span:
    """Return the commits that ``new`` has beyond ``old``; none where one of both is not here.

    Where they are straight, git tells by them as well what :func:`between` returns.
    """
    asked = (repo.path, old, new)
    found = _spans.get(asked)
    if found is None:
        commits = list(logged(repo, _FACTS, *_WORDS, f"{old}..{new}", ok=(0, 128)))
        found = _spans[asked] = _read(commits, old)
        if found.straight:
            _known[asked] = _in_the_end(commits)
    return found


def _read(commits: Sequence[Logged], old: Sha | None = None) -> Span:
    wrote: dict[str, str] = {}
    links: dict[str, dict[Sha, None]] = {}
    straight, above = bool(commits), old
    for commit in commits:
        name, parents, subject = commit.facts
        straight, above = straight and parents == above, Sha(name)
        wrote.update(dict.fromkeys(commit.paths, subject))
        for line, path in zip(commit.lines, commit.paths, strict=True):
            if line[8:14] == GITLINK:
                links.setdefault(path, {})[Sha(line.split(" ")[3])] = None
    named = {path: tuple(found) for path, found in links.items()}
    return Span(tuple(commit.facts[-1] for commit in commits), wrote, named, straight)


def _in_the_end(commits: Sequence[Logged]) -> tuple[Change, ...]:
    """Return what differs after commits, each of which follows the one before it, path by path."""
    if len(commits) == 1:
        return diff.changes_of(commits[0].lines, commits[0].paths)
    lines: dict[str, str] = {}
    for commit in commits:
        if lines.keys().isdisjoint(commit.paths):  # as results mostly are, and quick
            lines.update(zip(commit.paths, commit.lines, strict=True))
            continue
        for path, line in zip(commit.paths, commit.lines, strict=True):
            lines[path] = _one_after_the_other(lines.get(path, line), line)
    changes = diff.changes_of(list(lines.values()), list(lines))
    return tuple(one for one in changes if (one.mode_before, one.before) != (one.mode_after, one.after))


def _one_after_the_other(first: str, then: str) -> str:
    """Return the line of ``--raw`` for two changes of one path."""
    mode, _, blob, *_ = first.split(" ")
    _, mode_now, _, blob_now, status = then.split(" ")
    return f"{mode} {mode_now} {blob} {blob_now} {status}"
