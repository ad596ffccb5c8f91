"""One path that changed on both sides: what comes of it, if anybody can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TypeVar

from wtwatch.bring.wrote import Entry
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree.bytewise import LINK, POINTER_SIZE, annex_key
from wtwatch.words.model import Sha
from wtwatch.words.value import Value

_Side = TypeVar("_Side")


class Blocked(Value):
    """It cannot be decided for the user: ``kind`` says why, ``paths`` where.

    ``both``: changed on both sides; ``shape``: a file against a folder; ``code``: written into code.
    """

    kind: str
    paths: tuple[str, ...]


class Conflict(Value):
    """Nobody can say what comes of the path, or of these ``inside`` it, where that is a subdataset."""

    inside: tuple[str, ...] = ()


Inside = Callable[[str, Sha | None, Sha, Sha], Sha | Blocked | None]
"""Merges a subdataset that changed on both sides: its path, base, ours, theirs.

Returns its commit, why not, or ``None`` where it cannot even be tried.
"""

Sides = tuple[Entry | None, Entry | None, Entry | None]
"""Base, ours and theirs."""


def merged(repo: Repo, path: str, sides: Sides, inside: Inside | None) -> Entry | Conflict | None:
    """Return what comes of a path of which all three sides differ.

    An annexed file is told by its key, so whether it is locked is no change.
    """
    blobs = {side.sha for side in sides if side and side.mode != GITLINK}
    texts = repo.contents(blobs) if blobs else {}
    base, ours, theirs = (_key(side, texts) for side in sides)
    if ours in (theirs, base):
        return sides[2]
    if theirs == base:
        return sides[1]
    if sides[1] is None or sides[2] is None:
        return Conflict()
    if GITLINK in (sides[1].mode, sides[2].mode):
        return _merged_inside(path, sides, inside)
    if not (isinstance(base, Entry) and isinstance(ours, Entry) and isinstance(theirs, Entry)):
        return Conflict()
    return _merged_file(repo, path, (base, ours, theirs), texts)


def _merged_inside(path: str, sides: Sides, inside: Inside | None) -> Entry | Conflict:
    base, ours, theirs = sides
    if inside is None or ours is None or theirs is None or ours.mode != theirs.mode:
        return Conflict()
    made = inside(path, base.sha if base and base.mode == GITLINK else None, ours.sha, theirs.sha)
    if isinstance(made, Blocked):
        return Conflict(tuple(f"{path}/{below}" for below in made.paths))
    return Entry(GITLINK, made) if made else Conflict()


def _key(side: Entry | None, texts: Mapping[Sha, bytes]) -> str | Entry | None:
    """Return what tells one content from another: of an annexed file, locked or not, its key."""
    if side is None or side.mode == GITLINK:
        return side
    text = texts[side.sha]
    if len(text) > POINTER_SIZE:
        return side
    if side.mode == LINK:
        folder, _, name = text.rpartition(b"/")
        return name.decode("utf-8", "surrogateescape") if b"/annex/objects/" in folder + b"/" else side
    return annex_key(text) or side


def _merged_file(
    repo: Repo, path: str, sides: tuple[Entry, Entry, Entry], texts: Mapping[Sha, bytes]
) -> Entry | Conflict:
    """Return what comes of a plain file: its mode and its text are each merged for themselves."""
    if LINK in {side.mode for side in sides}:
        return Conflict()
    mode = _either(*(side.mode for side in sides))
    sha = _either(*(side.sha for side in sides))
    if sha is None:
        made = _merged_sections(*(texts[side.sha] for side in sides)) if path == ".gitmodules" else None
        sha = _merged_text(repo, [texts[side.sha] for side in sides], made)
    return Entry(mode, sha) if mode and sha else Conflict()


def _either(base: _Side, ours: _Side, theirs: _Side) -> _Side | None:
    """Return the side that changed, ``None`` if both did, and differ."""
    if ours in (theirs, base):
        return theirs
    return ours if theirs == base else None


def _merged_text(repo: Repo, texts: list[bytes], made: bytes | None) -> Sha | None:
    """Write what was ``made`` of three texts, else what git-merge-file(1) makes of them without conflict."""
    with scratch_folder("wtwatch-") as scratch:
        base, ours, theirs = (scratch / name for name in ("base", "ours", "theirs"))
        for file, text in zip((base, ours, theirs), texts, strict=True):
            file.write_bytes(text)
        if made is not None:
            ours.write_bytes(made)
        elif not repo.succeeds("merge-file", "-q", *map(str, (ours, base, theirs))):
            return None
        return Sha(repo.git("hash-object", "-w", "--no-filters", str(ours)))


def _merged_sections(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Merge files of git-config(1) section by section: both sides add theirs at the end of `.gitmodules`.

    ``None`` where both changed a section, or one has several of a name.
    """
    sides = [_sections(text) for text in (base, ours, theirs)]
    if None in sides:
        return None
    before, mine, other = (side or {} for side in sides)
    found = dict(other)
    for name in before.keys() | mine.keys():
        was, my, their = before.get(name), mine.get(name), other.get(name)
        if my not in (was, their):
            if their != was:
                return None
            found[name] = my or b""
    new = [name for name in mine if name not in other and found.get(name)]
    return b"".join([*(found[name] for name in other), *(found[name] for name in new)])


def _sections(text: bytes) -> dict[bytes, bytes] | None:
    """Return the sections of a file of git-config(1) by their heads, in order; all of it, byte for byte."""
    starts = [0, *(found.start() for found in re.finditer(rb"^[ \t]*\[", text, re.MULTILINE)), len(text)]
    parts = [text[start:end] for start, end in pairwise(starts) if start < end]
    ended = [part if part.endswith(b"\n") else part + b"\n" for part in parts]
    found = {part.partition(b"]")[0].strip(): part for part in ended}
    return found if len(found) == len(parts) else None
