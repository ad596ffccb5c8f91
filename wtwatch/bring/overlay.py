"""The tree of a target with what was written on a run branch laid over it, worked out in git alone.

A merge would not do: it takes code back after a release that goes backwards, loses a side branch, and brings
inputs back that somebody dropped. So what jobs wrote is laid, path by path, over the target as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wtwatch.bring import wrote
from wtwatch.bring.wrote import Entry, RunBranch, Wrote, below, entries
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree.bytewise import LINK, annex_key
from wtwatch.words.model import Sha
from wtwatch.words.value import Value

_POINTER_SIZE = 32768
"""More bytes than a pointer of git-annex can have ("Unlocked files" of its internals)."""


class Code(NamedTuple):
    """Which paths are code, and where they come from: ``source`` is the commit whose entries they will be.

    ``applied`` is the release whose code the run branch has, where it is paths of the superdataset itself:
    then it is a fault if somebody wrote there. ``None``: code is a subdataset, and its pointer's business.
    """

    paths: tuple[str, ...]
    source: Sha
    applied: Sha | None = None


class Overlaid(Value):
    """What comes out: a tree, which paths were laid over the target's, and what was written at all."""

    tree: Sha
    laid: tuple[str, ...]
    wrote: Wrote


class Blocked(Value):
    """It cannot be decided for the user: ``kind`` says why, ``paths`` where.

    ``both``: changed on both sides; ``shape``: a file against a folder; ``code``: written into code.
    """

    kind: str
    paths: tuple[str, ...]


Inside = Callable[[str, Sha | None, Sha, Sha], Sha | None]
"""Merges a subdataset that changed on both sides: its path, base, ours, theirs; ``None`` where it cannot."""


def overlay(
    branch: RunBranch, target: Sha, code: Code, inside: Inside | None = None, found: Wrote | None = None
) -> Overlaid | Blocked:
    """Return the tree of ``target`` with what was written on a run branch over it.

    Code is as :class:`Code` says. Nothing is changed but that objects are written.
    """
    repo, found = branch.repo, found or wrote.since(branch, target)
    in_code = [path for path in found.paths if below(path, code.paths)]
    if code.applied is not None:
        odd = _written_in_code(repo, in_code, branch.tip, (code.applied, target, code.source))
        if odd:
            return Blocked("code", odd)
    paths = [path for path in found.paths if not below(path, code.paths)]
    put, both = _laid(branch, target, found, paths, inside)
    if both:
        return Blocked("both", tuple(both))
    odd = _misshapen(repo, target, put)
    if odd:
        return Blocked("shape", odd)
    return Overlaid(_written(repo, target, put, code), tuple(put), found)


def _laid(
    branch: RunBranch, target: Sha, found: Wrote, paths: list[str], inside: Inside | None
) -> tuple[dict[str, Entry | None], list[str]]:
    """Return what is put over the target's entries at ``paths``, and where nobody can say that."""
    repo = branch.repo
    before, ours, theirs = (entries(repo, tree, paths) for tree in (found.base, branch.tip, target))
    since: dict[str, Entry | None] = {**before, **_since_brought(branch, found, paths)}
    put: dict[str, Entry | None] = {}
    both = []
    for path in paths:
        base, our, their = since.get(path), ours.get(path), theirs.get(path)
        if our in (their, base):
            continue
        if their == base or (their and wrote.had(branch, found.base, path, their)):
            put[path] = our
            continue
        merged = _merged(repo, path, (base, our, their), inside)
        if merged is None:
            both.append(path)
        elif merged != their:
            put[path] = merged
    return put, both


def _written_in_code(repo: Repo, paths: list[str], runs: Sha, known: Iterable[Sha]) -> tuple[str, ...]:
    """Return those of ``paths``, which are code, that are on ``runs`` as in none of the ``known`` commits."""
    if not paths:
        return ()
    now = entries(repo, runs, paths)
    others = [entries(repo, commit, paths) for commit in dict.fromkeys(known)]
    return tuple(path for path in paths if all(now.get(path) != other.get(path) for other in others))


def _since_brought(branch: RunBranch, found: Wrote, paths: list[str]) -> dict[str, Entry | None]:
    """Return what stands for the base of paths that main had changed by the time of the last bring.

    What somebody on the run branch had written by then, which main took over, is not among it.
    """
    repo = branch.repo
    if not found.brings or not repo.resolve(found.brings[0].target):
        return {}
    last = found.brings[0].target
    had_then = wrote.held(branch, last)
    then, earlier = entries(repo, last, paths), entries(repo, had_then, paths)
    moved = {path: then.get(path) for path in paths if then.get(path) != earlier.get(path)}
    return {
        path: entry
        for path, entry in moved.items()
        if not (entry and wrote.had(branch, had_then, path, entry))
    }


def _merged(
    repo: Repo, path: str, sides: tuple[Entry | None, Entry | None, Entry | None], inside: Inside | None
) -> Entry | None:
    """Return what comes of a path that changed on both sides, ``None`` if nobody can say.

    ``sides`` are base, ours and theirs.
    """
    _, ours, theirs = sides
    if ours is None or theirs is None:
        return None
    if GITLINK in (ours.mode, theirs.mode):
        return _merged_inside(path, sides, inside)
    texts = repo.contents({side.sha for side in sides if side and side.mode != GITLINK})
    keys = [_key(side, texts) for side in sides]
    if keys[1] == keys[2] or (keys[0] is not None and keys[0] == keys[1]):
        return theirs
    if keys[0] is not None and keys[0] == keys[2]:
        return ours
    return _merged_text(repo, keys, texts)


def _merged_inside(
    path: str, sides: tuple[Entry | None, Entry | None, Entry | None], inside: Inside | None
) -> Entry | None:
    base, ours, theirs = sides
    if inside is None or ours is None or theirs is None or ours.mode != theirs.mode:
        return None
    made = inside(path, base.sha if base and base.mode == GITLINK else None, ours.sha, theirs.sha)
    return Entry(GITLINK, made) if made else None


def _key(side: Entry | None, texts: Mapping[Sha, bytes]) -> str | Entry | None:
    """Return what tells one content from another: of an annexed file, locked or not, its key."""
    if side is None or side.mode == GITLINK:
        return side
    text = texts[side.sha]
    if len(text) > _POINTER_SIZE:
        return side
    if side.mode == LINK:
        folder, _, name = text.rpartition(b"/")
        return name.decode("utf-8", "surrogateescape") if b".git/annex/objects/" in folder + b"/" else side
    return annex_key(text) or side


def _merged_text(repo: Repo, keys: list[str | Entry | None], texts: Mapping[Sha, bytes]) -> Entry | None:
    """Return what git-merge-file(1) makes of plain files that are alike in mode, if nothing conflicts.

    ``keys`` are base, ours and theirs, told apart by :func:`_key`.
    """
    sides = [side for side in keys if isinstance(side, Entry)]
    if len(sides) < 3 or len({side.mode for side in sides}) > 1 or sides[0].mode == LINK:
        return None
    with scratch_folder("wtwatch-") as scratch:
        files = {name: scratch / name for name in ("base", "ours", "theirs")}
        for file, side in zip(files.values(), sides, strict=True):
            file.write_bytes(texts[side.sha])
        if not repo.succeeds("merge-file", "-q", *(str(files[name]) for name in ("ours", "base", "theirs"))):
            return None
        made = repo.git("hash-object", "-w", "--no-filters", str(files["ours"]))
    return Entry(sides[0].mode, Sha(made))


def _misshapen(repo: Repo, target: Sha, put: Mapping[str, Entry | None]) -> tuple[str, ...]:
    """Return paths at which one side has a file and the other a folder."""
    wanted = [path for path, entry in put.items() if entry is not None]
    gone = {path for path, entry in put.items() if entry is None}
    above = sorted(
        {"/".join(path.split("/")[:depth]) for path in wanted for depth in range(1, path.count("/") + 1)}
    )
    barred = entries(repo, target, above).keys() & set(above) - gone
    odd = [path for path in wanted if any(path.startswith(f"{bar}/") for bar in barred)]
    below_files = entries(repo, target, wanted).keys() - set(wanted) - gone
    odd += [path for path in wanted if any(inner.startswith(f"{path}/") for inner in below_files)]
    return tuple(dict.fromkeys(odd))


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _written(repo: Repo, target: Sha, put: Mapping[str, Entry | None], code: Code) -> Sha:
    """Write the tree; ``put`` over the target's entries, then code as it is to be."""
    lines = _code_lines(repo, target, code)
    if not put and not lines:
        return Sha(repo.git("rev-parse", f"{target}^{{tree}}"))
    gone = [path for path, entry in put.items() if entry is None]
    there = {path: entry for path, entry in put.items() if entry is not None}
    lines = [*_gone(gone), *_there(there), *lines]
    with scratch_folder("wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        repo.git("read-tree", target, env=env)
        repo.git("update-index", "--add", "--replace", "-z", "--index-info", stdin="".join(lines), env=env)
        return Sha(repo.git("write-tree", env=env))


def _code_lines(repo: Repo, target: Sha, code: Code) -> list[str]:
    """Return what `git update-index` has to be told for code to be as in its source."""
    if code.source == target:
        return []
    words = ("diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", target, code.source, "--")
    fields = repo.git(*words, *code.paths, env={"GIT_LITERAL_PATHSPECS": "1"}).split("\0")
    pairs = list(zip(fields[::2], fields[1::2], strict=False))
    changed = {path: (facts.split()[1], Sha(facts.split()[3])) for facts, path in pairs}
    gone = [path for path, (mode, _) in changed.items() if mode == "000000"]
    there = {path: Entry(mode, sha) for path, (mode, sha) in changed.items() if path not in set(gone)}
    return [*_gone(gone), *_there(there)]


def _gone(paths: Iterable[str]) -> Iterable[str]:
    return (f"0 {'0' * 40}\t{path}\0" for path in paths)


def _there(put: Mapping[str, Entry]) -> Iterable[str]:
    return (f"{entry.mode} {entry.sha}\t{path}\0" for path, entry in put.items())
