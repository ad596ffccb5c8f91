"""The tree of a commit with some entries changed: the folders above those alone are read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from wtwatch.bring.wrote import Entry
from wtwatch.doors import digests, loose
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

Put = Mapping[str, Entry | None]
"""What is put over a tree's entries, by path; ``None``: nothing is there."""

_FOLDER = "040000"
_KINDS = {_FOLDER: "tree", GITLINK: "commit"}


def with_entries(repo: Repo, commit: Sha, put: Put) -> Sha:
    """Write the tree of ``commit`` with ``put`` over it, as git-update-index(1) has it; return its id.

    A file that is put takes the place of a folder, and the other way round.
    """
    with being_written(repo, commit, put) as tree:
        return tree


@contextmanager
def being_written(repo: Repo, commit: Sha, put: Put) -> Iterator[Sha]:
    """Yield the id of what :func:`with_entries` writes, which is there when the body has ended."""
    if any("\n" in path for path in put):  # git takes names by lines
        yield _through_an_index(repo, commit, put)
        return
    folders = sorted({"", *(folder for path in put for folder in _above(path))})
    with loose.asked(repo, [f"{commit}:{folder}" for folder in folders]) as read:
        found = dict(zip(folders, read(), strict=True))
    held = {folder: tree.entries() for folder, tree in found.items() if tree and tree.kind == "tree"}
    known = {
        folder: {one.path: Entry(one.mode, one.sha) for one in entries} for folder, entries in held.items()
    }
    writing = _Writing(known, put, len(commit))
    top = writing.folder("")
    if top is None:  # empty
        yield _through_an_index(repo, commit, put)
        return
    listing = "\0".join(map(_listed, writing.made))
    with repo.ask("mktree", "--batch", "--missing", "-z", feed=listing) as asking:
        yield top
        if asking.answer().split() != writing.ids:
            raise WtwatchError(
                f"Git wrote another folder than it was told, in {repo.path}.", "See `git fsck` there."
            )


class _Writing:
    """Works out what folders hold: ``made``, inner ones first, and their ``ids``."""

    def __init__(self, known: Mapping[str, Mapping[str, Entry]], put: Put, digits: int) -> None:
        self.made: list[dict[str, Entry]] = []
        self.ids: list[Sha] = []
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
        self.made.append(now)
        self.ids.append(_id_of(now, self._digits))
        return self.ids[-1]


def _id_of(folder: Mapping[str, Entry], digits: int) -> Sha:
    """Return the id of a folder in git: by SHA-1, or SHA-256 if it has 64 digits.

    Folders are sorted as if their names ended with a slash.
    """
    lines = sorted(
        (in_bytes(name) + (b"/" if entry.mode == _FOLDER else b""), in_bytes(name), entry)
        for name, entry in folder.items()
    )
    body = b"".join(
        b"%s %s\0%s" % (entry.mode.lstrip("0").encode(), name, bytes.fromhex(entry.sha))
        for _, name, entry in lines
    )
    digest = digests.new("sha1" if digits == 40 else "sha256", len(body))
    digest.update(b"tree %d\0" % len(body))
    digest.update(body)
    return Sha(digest.hexdigest())


def in_bytes(name: str) -> bytes:
    """Return a path as git has it, which sorts by bytes."""
    return name.encode("utf-8", "surrogateescape")


def _listed(folder: Mapping[str, Entry]) -> str:
    """Return the entries of a folder as git-mktree(1) takes them."""
    return "".join(
        f"{mode} {_KINDS.get(mode, 'blob')} {sha}\t{name}\0" for name, (mode, sha) in folder.items()
    )


def _through_an_index(repo: Repo, commit: Sha, put: Put) -> Sha:
    with scratch_folder("wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        repo.git("read-tree", commit, env=env)
        lines = "".join(_lines(put))
        repo.git("update-index", "--add", "--replace", "-z", "--index-info", stdin=lines, env=env)
        return Sha(repo.git("write-tree", env=env))


def _lines(put: Put) -> Sequence[str]:
    """Return what `git update-index` is told: first what goes, since it may be in the way of what comes."""
    gone = (f"0 {'0' * 40}\t{path}\0" for path, entry in put.items() if entry is None)
    there = (f"{entry.mode} {entry.sha}\t{path}\0" for path, entry in put.items() if entry is not None)
    return (*gone, *there)


def _above(path: str) -> Sequence[str]:
    """Return the folders above a path, the nearest first; not the top."""
    words = path.split("/")[:-1]
    return ["/".join(words[:depth]) for depth in range(len(words), 0, -1)]
