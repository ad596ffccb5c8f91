"""What differs between two commits, asked once: a merge goes by it to plan, to see what bars it, to tell."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class _Commit(NamedTuple):
    """A commit as `git log` tells of it: lines of ``--raw``, and the path of each."""

    id: str
    parents: str
    subject: str
    lines: Sequence[str]
    paths: Sequence[str]


_LOG = ("log", "--reverse", "--no-show-signature", "--format=%x01%H %P%x00%s")
_RAW = ("--raw", "-r", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none")

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
    return _read(list(_commits(repo.told(*_LOG, *_RAW, commit))))


def span(repo: Repo, old: Sha, new: Sha) -> Span:
    """Return the commits that ``new`` has beyond ``old``; none where one of both is not here.

    Where they are straight, git tells by them as well what :func:`between` returns.
    """
    asked = (repo.path, old, new)
    found = _spans.get(asked)
    if found is None:
        commits = list(_commits(repo.told(*_LOG, *_RAW, f"{old}..{new}", ok=(0, 128))))
        found = _spans[asked] = _read(commits, old)
        if found.straight:
            _known[asked] = _in_the_end(commits)
    return found


def _commits(told: str) -> Iterator[_Commit]:
    """Read `git log`: of each commit a field with its names, one with its subject, then its changes."""
    fields = told.split("\0")
    at = 0
    while at < len(fields):
        if not fields[at].startswith("\1"):  # an empty one, between two commits
            at += 1
            continue
        name, _, parents = fields[at][1:].partition(" ")
        begin = end = at + 2
        if fields[begin : begin + 1] and fields[begin].startswith("\n:"):  # before the first change
            fields[begin] = fields[begin][1:]
        while end < len(fields) and fields[end][:1] == ":":
            end += 2
        yield _Commit(name, parents, fields[at + 1], fields[begin:end:2], fields[begin + 1 : end : 2])
        at = end


def _read(commits: Sequence[_Commit], old: Sha | None = None) -> Span:
    wrote: dict[str, str] = {}
    links: dict[str, dict[Sha, None]] = {}
    straight, above = bool(commits), old
    for commit in commits:
        straight, above = straight and commit.parents == above, Sha(commit.id)
        wrote.update(dict.fromkeys(commit.paths, commit.subject))
        for line, path in zip(commit.lines, commit.paths, strict=True):
            if line[8:14] == GITLINK:
                links.setdefault(path, {})[Sha(line.split(" ")[3])] = None
    named = {path: tuple(found) for path, found in links.items()}
    return Span(tuple(commit.subject for commit in commits), wrote, named, straight)


def _in_the_end(commits: Sequence[_Commit]) -> tuple[Change, ...]:
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
