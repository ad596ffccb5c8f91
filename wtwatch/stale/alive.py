"""Which results are still there: a file of them is as it was written, and no later run wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from wtwatch.doors.porcelain import TreeEntry, parse_tree
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.job.ingredients import keys_of
from wtwatch.stale import inputs
from wtwatch.stale.values import Result
from wtwatch.words.model import Sha


class _Own(NamedTuple):
    """What of a result no later one wrote: blobs by path, and declared paths in subdatasets."""

    result: Result
    files: Mapping[str, Sha]
    inside: tuple[str, ...]


def alive(repo: Repo, head: Sha, found: Sequence[Result]) -> list[Result]:
    """Return those of the results, given oldest first, that are still there at ``head``.

    One that was deleted, renamed, edited or made over in all of its files is nobody's to make anew.
    """
    listing = repo.told("ls-tree", "-r", "-z", "--full-tree", head)
    now = {entry.path: entry for entry in parse_tree(listing)}
    own = list(_own(found, now))
    changed = {one.result.commit: _changed(one, now) for one in own}
    blobs = {sha: mode for pairs in changed.values() for old, new in pairs for sha, mode in (old, new)}
    keys = keys_of(repo, blobs)
    asked = [(one.result.commit, path) for one in own for path in one.inside]
    differs = inputs.differing(repo, head, asked) if asked else {}
    there = set()
    for one in own:
        commit, others = one.result.commit, changed[one.result.commit]
        as_it_was = len(others) < len(one.files)
        unlocked = (old in keys and keys[old] == keys.get(new) for (old, _), (new, _) in others)
        inside = ((commit, path) not in differs for path in one.inside)
        if as_it_was or any(unlocked) or any(inside):
            there.add(commit)
    return [one for one in found if one.commit in there]


def _own(found: Sequence[Result], now: Mapping[str, TreeEntry]) -> Iterator[_Own]:
    """Yield what of each result no later one wrote, the newest first.

    Of one run only the last result counts: what it passed over, it makes no more.
    """
    claimed: set[str] = set()
    runs = set[tuple[object, ...]]()
    for one in reversed(found):
        run = (one.spec.command, one.spec.inputs, one.spec.outputs, one.spec.setenv)
        if run in runs:
            continue
        runs.add(run)
        files = {path: blob for path, blob in one.written.items() if path in now}
        inside = []
        for link in [path for path in files if now[path].mode == GITLINK]:
            del files[link]
            inside += [path for path in one.spec.outputs if path.startswith(f"{link}/")]
        yield _Own(
            one,
            {path: blob for path, blob in files.items() if path not in claimed},
            tuple(path for path in inside if path not in claimed),
        )
        claimed.update(files, inside)


_Blob = tuple[Sha, str]  # with its mode


def _changed(one: _Own, now: Mapping[str, TreeEntry]) -> list[tuple[_Blob, _Blob]]:
    """Return the files that are not byte for byte as a result has them: some may be unlocked alone."""
    return [
        ((blob, entry.mode), (entry.sha, entry.mode))
        for path, blob in one.files.items()
        if (entry := now[path]).sha != blob
    ]
