"""A small tree of files taken up once, and cast again elsewhere: quicker than having git make it again."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_GITLINK = 0o160000
_ROOT = b"\0the root of the mould\0"
"""Stands for the folder that all of a mould is in."""


class Piece(NamedTuple):
    """A file, or a folder (which has no ``data``), below the root."""

    path: str
    data: bytes | None
    mode: int


class Mould(NamedTuple):
    """Folders and plain files; those that name the folder that all are in name that of each cast instead.

    That is their root or, where some lie beside it, one ``above``. Samples of hooks that `git init` copies
    are left out. The git indexes of a cast know its files, as after `git update-index --refresh`.
    """

    pieces: tuple[Piece, ...]
    above: str

    @classmethod
    def of(cls, root: Path, *folders: Path) -> Mould:
        """Take up these folders, by where they lie from ``root``."""
        top = os.path.commonpath([root, *folders])
        pieces = tuple(piece for folder in folders for piece in _pieces(root, folder, os.fsencode(top)))
        return cls(pieces, os.path.relpath(top, root))

    def cast(self, root: Path) -> None:
        """Write all of it where it lies from ``root``, and none of it may be yet."""
        root.mkdir(parents=True, exist_ok=True)
        name = os.fsencode(os.path.normpath(root / self.above))
        for path, data, mode in self.pieces:
            place = root / path
            if data is None:
                place.mkdir()
                continue
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                out.write(data.replace(_ROOT, name))
        for path, *_ in self.pieces:
            if path.endswith("/index"):
                refresh(root / path)


def refresh(index: Path) -> None:
    """Note in a git index (gitformat-index(5), version 2) how the files lie there that it has: it is whole.

    All of them are as it has them; this goes without starting git, as a test house has four.
    """
    tree = index.parent.parent
    if (beside := index.with_name("gitdir")).exists():  # a work tree's
        tree = Path(beside.read_text().strip()).parent
    data = bytearray(index.read_bytes()[:-20])
    kind, version, count = struct.unpack_from(">4sLL", data)
    assert (kind, version) == (b"DIRC", 2)
    at = 12
    for _ in range(count):
        end = data.index(0, at + 62)
        mode = int.from_bytes(data[at + 24 : at + 28])
        if mode != _GITLINK:
            seen = (tree / os.fsdecode(bytes(data[at + 62 : end]))).lstat()
            times = (*divmod(seen.st_ctime_ns, 10**9), *divmod(seen.st_mtime_ns, 10**9))
            facts = (*times, seen.st_dev, seen.st_ino, mode, seen.st_uid, seen.st_gid, seen.st_size)
            struct.pack_into(">10L", data, at, *(fact & 0xFFFFFFFF for fact in facts))
        at += (end - at) // 8 * 8 + 8
    index.write_bytes(data + hashlib.sha1(data).digest())


def _pieces(root: Path, folder: Path, name: bytes) -> Iterator[Piece]:
    for place, _, files in os.walk(folder):
        yield Piece(os.path.relpath(place, root), None, 0)
        for one in (Path(place) / file for file in files if not file.endswith(".sample")):
            data = one.read_bytes()
            assert not one.is_symlink() and _ROOT not in data
            yield Piece(os.path.relpath(one, root), data.replace(name, _ROOT), one.stat().st_mode & 0o777)
