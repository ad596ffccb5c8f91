"""Objects of git that lie in files of their own, read without any git (gitrepository-layout(5)).

What was made just now lies there mostly: a commit that the bookmark moved to, a pointer commit. Whatever does
not, or is not just so, is left to git.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wtwatch.doors import traces
from wtwatch.doors.porcelain import GitObject
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

_LARGEST = 1 << 20
"""Bytes of an object that is read here, unless told otherwise."""

_MORE = 100
"""Bytes that are before an object's own, or that packing adds."""

_FOLDERS = 40
"""Folders that are compared here; of more, git is asked."""

_FEW = 200
"""Paths in which commits differ that are found here; where there are more, git is quicker."""

_LARGE = 1 << 17
"""Bytes of a folder that is compared here: some 3,000 names."""

_MODES = {
    mode.lstrip(b"0"): mode.decode() for mode in (b"040000", b"100644", b"100755", b"120000", b"160000")
}
_FOLDER = b"40000"
_NOTHING = "000000"

Side = tuple[str, Sha]
"""A mode and an id, as git-diff-tree(1) has them; of nothing both are zeros."""


@contextmanager
def asked(repo: Repo, names: Sequence[str]) -> Iterator[Callable[[], Sequence[GitObject | None]]]:
    """Start to read objects, by git unless all lie in files of their own; what is yielded returns them."""
    found = objects(repo.common_dir(), names)
    if found is not None:
        yield lambda: found
        return
    with repo.ask_objects(*names) as asking:
        yield asking.objects


def objects(common: Path, names: Sequence[str], largest: int = _LARGEST) -> tuple[GitObject, ...] | None:
    """Return the objects of these names, if all of them lie in files of their own, and replace no others.

    None of more than ``largest`` bytes is read. A name is an id, ``ID^{tree}`` or ``ID:FOLDER``, or one of
    these with ``ID^`` (gitrevisions(7)). ``common`` is the git directory that all work trees of the
    repository share.
    """
    if _replaces(common):
        return None
    found = []
    for name in names:
        one = _named(common, name, largest)
        if one is None:
            return None
        found.append(one)
    return tuple(found)


def between(common: Path, old: str, new: str) -> list[tuple[str, Side, Side]] | None:
    """Return what differs between two commits: each path, with what was there and what is.

    In git's order. ``None`` if that is more than a little, or lies not in files of its own.
    """
    commits = objects(common, [old, new])
    if commits is None or {one.kind for one in commits} != {"commit"}:
        return None
    found: list[tuple[str, Side, Side]] = []
    before, after = (bytes.fromhex(one.tree()) for one in commits)
    return found if _Comparing(common, found).folder(b"", before, after) else None


class _Comparing:
    """Compares folders, and writes into ``found`` in what they differ."""

    def __init__(self, common: Path, found: list[tuple[str, Side, Side]]) -> None:
        self._common, self._found = common, found
        self._left = _FOLDERS

    def folder(self, above: bytes, before: bytes | None, after: bytes | None) -> bool:
        """Compare one folder, which ``above`` ends with a slash; return whether that could be done."""
        was, now = self._read(before), self._read(after)
        if was is None or now is None:
            return False
        sides: dict[bytes, list[tuple[bytes, bytes] | None]] = {}
        for side, only in enumerate((was - now, now - was)):
            for mode, name, sha in only:  # a folder is sorted as if its name ended with a slash
                sides.setdefault(name + b"/" * (mode == _FOLDER), [None, None])[side] = (mode, sha)
        some = len(self._found) + len(sides) <= _FEW
        return some and all(self._entry(above + name, *sides[name]) for name in sorted(sides))

    def _entry(
        self, path: bytes, before: tuple[bytes, bytes] | None, after: tuple[bytes, bytes] | None
    ) -> bool:
        if path.endswith(b"/"):
            return self.folder(path, before and before[1], after and after[1])
        there = before or after
        assert there is not None
        if not {mode for mode, _ in filter(None, (before, after))} <= _MODES.keys():
            return False
        nothing = (_NOTHING, Sha("0" * (2 * len(there[1]))))
        was, now = ((_MODES[side[0]], Sha(side[1].hex())) if side else nothing for side in (before, after))
        self._found.append((path.decode("utf-8", "surrogateescape"), was, now))
        return True

    def _read(self, tree: bytes | None) -> set[tuple[bytes, bytes, bytes]] | None:
        """Return the modes, names and ids in a folder, of none nothing; ``None`` if git has to be asked."""
        if tree is None:
            return set()
        self._left -= 1
        found = _read(self._common, tree.hex(), _LARGE) if self._left >= 0 else None
        entries = found.raw_entries() if found is not None else None
        return None if entries is None else set(entries)


def _replaces(common: Path) -> bool:
    """Return whether git may be told to take objects for others (git-replace(1))."""
    if traces.names(f"{common}/refs/replace") or traces.names(f"{common}/reftable"):
        return True
    with suppress(OSError):
        return b" refs/replace/" in (common / "packed-refs").read_bytes()
    return False


def _named(common: Path, name: str, largest: int) -> GitObject | None:
    start, colon, path = name.partition(":")
    wants_tree = bool(colon) or start.endswith("^{tree}")
    start = start.removesuffix("^{tree}")
    found = _read(common, start.removesuffix("^"), largest)
    if found and start.endswith("^"):
        first = next(iter(found.parents()), None) if found.kind == "commit" else None
        found = _read(common, first) if first else None
    if found and wants_tree and found.kind == "commit":
        found = _read(common, found.tree())
    for folder in path.split("/") if path else ():
        inside = found.entries() if found and found.kind == "tree" else ()
        entry = next((one for one in inside if one.path == folder), None)
        found = _read(common, entry.sha) if entry else None
    return found


def _read(common: Path, sha: str, largest: int = _LARGEST) -> GitObject | None:
    try:
        handle = os.open(f"{common}/objects/{sha[:2]}/{sha[2:]}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(os.read(handle, largest + _MORE), largest + _MORE)
    except (OSError, zlib.error):
        return None
    finally:
        os.close(handle)
    head, _, body = content.partition(b"\0")
    kind, _, size = head.partition(b" ")
    if not unpacking.eof or size != b"%d" % len(body):
        return None
    return GitObject(Sha(sha), kind.decode("ascii", "replace"), body)
