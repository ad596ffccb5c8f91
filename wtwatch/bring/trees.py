"""The tree of a commit with some entries changed: the folders above those alone are read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wtwatch.bring.wrote import Entry
from wtwatch.doors import loose, unpacking
from wtwatch.doors.porcelain import GitObject
from wtwatch.doors.repo import Repo
from wtwatch.doors.unpacking import Unpacking
from wtwatch.words.model import Sha

Put = Mapping[str, Entry | None]
"""What is put over a tree's entries, by path; ``None``: nothing is there."""

_FOLDER = "040000"


def with_entries(repo: Repo, commit: Sha, put: Put) -> Sha:
    """Write the tree of ``commit`` with ``put`` over it, as git-update-index(1) has it; return its id.

    A file that is put takes the place of a folder, and the other way round.
    """
    with Unpacking(repo) as writing:
        folders = folders_with(repo, commit, put)
        writing.write(folders)
    return folders[-1].sha


def folders_with(repo: Repo, commit: Sha, put: Put) -> list[GitObject]:
    """Return the folders that :func:`with_entries` writes, the top one last."""
    folders = sorted({"", *(folder for path in put for folder in _above(path))})
    with loose.asked(repo, [f"{commit}:{folder}" for folder in folders]) as read:
        found = dict(zip(folders, read(), strict=True))
    held = {folder: tree.entries() for folder, tree in found.items() if tree and tree.kind == "tree"}
    known = {
        folder: {one.path: Entry(one.mode, one.sha) for one in entries} for folder, entries in held.items()
    }
    working = _Working(known, put, len(commit))
    working.folder("")
    return working.made or [unpacking.made("tree", b"", len(commit))]


class _Working:
    """Works out what folders hold: ``made``, inner ones first."""

    def __init__(self, known: Mapping[str, Mapping[str, Entry]], put: Put, digits: int) -> None:
        self.made: list[GitObject] = []
        self._known = known
        self._digits = digits
        self._put: dict[str, dict[str, Entry | None]] = {}
        self._inside: dict[str, set[str]] = {}
        for path, entry in put.items():
            above, _, name = path.rpartition("/")
            self._put.setdefault(above, {})[name] = entry
            for folder in _above(path):
                self._inside.setdefault(folder.rpartition("/")[0], set()).add(folder)

    def folder(self, path: str) -> Sha | None:
        """Return the id of a folder, ``None`` if nothing is left in it."""
        now = dict(self._known.get(path, {}))
        put = self._put.get(path, {})
        for name, entry in put.items():
            if entry is None and name in now and now[name].mode != _FOLDER:
                del now[name]
        for inner in sorted(self._inside.get(path, ())):
            name, tree = inner.rpartition("/")[2], self.folder(inner)
            if tree is not None:
                now[name] = Entry(_FOLDER, tree)
            elif name in now and now[name].mode == _FOLDER:
                del now[name]
        now |= {name: entry for name, entry in put.items() if entry is not None}
        if not now:
            return None
        self.made.append(unpacking.made("tree", _body(now), self._digits))
        return self.made[-1].sha


def _body(folder: Mapping[str, Entry]) -> bytes:
    """Return a folder as git has it: sorted as if the names of those in it ended with a slash."""
    lines = sorted(
        (in_bytes(name) + (b"/" if entry.mode == _FOLDER else b""), in_bytes(name), entry)
        for name, entry in folder.items()
    )
    return b"".join(
        b"%s %s\0%s" % (entry.mode.lstrip("0").encode(), name, bytes.fromhex(entry.sha))
        for _, name, entry in lines
    )


def in_bytes(name: str) -> bytes:
    """Return a path as git has it, which sorts by bytes."""
    return name.encode("utf-8", "surrogateescape")


def _above(path: str) -> Sequence[str]:
    """Return the folders above a path, the nearest first; not the top."""
    words = path.split("/")[:-1]
    return ["/".join(words[:depth]) for depth in range(len(words), 0, -1)]
