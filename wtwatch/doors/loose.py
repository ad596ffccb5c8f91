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
