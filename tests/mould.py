"""A small tree of files taken up once, and cast again elsewhere: quicker than having git make it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = b"\0the root of the mould\0"


class Piece(NamedTuple):
    """A file, or a folder (which has no ``data``), below the root."""

    path: str
    data: bytes | None
    mode: int


class Mould(NamedTuple):
    """Folders and plain files below a root; those that name this root name that of each cast instead.

    The samples of hooks that `git init` copies are left out. A cast has other inodes than its git indexes
    know, so they have to be refreshed.
    """

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, root: Path, *folders: Path) -> Mould:
        """Take up these folders below ``root``."""
        return cls(tuple(piece for folder in folders for piece in _pieces(root, folder)))

    def cast(self, root: Path) -> None:
        """Write all of it below ``root``, where none of it may be yet."""
        root.mkdir(parents=True, exist_ok=True)
        name = os.fsencode(root)
        for path, data, mode in self.pieces:
            place = root / path
            if data is None:
                place.mkdir()
                continue
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                out.write(data.replace(_ROOT, name))


def _pieces(root: Path, folder: Path) -> Iterator[Piece]:
    name = os.fsencode(root)
    for place, _, files in os.walk(folder):
        yield Piece(os.path.relpath(place, root), None, 0)
        for one in (Path(place) / file for file in files if not file.endswith(".sample")):
            data = one.read_bytes()
            assert not one.is_symlink() and _ROOT not in data
            yield Piece(os.path.relpath(one, root), data.replace(name, _ROOT), one.stat().st_mode & 0o777)
