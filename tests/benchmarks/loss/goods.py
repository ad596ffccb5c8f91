"""What there is to lose: everything in a run tree's code that its applied commit does not hold."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.loss.scene import Scene
from wtwatch.words.model import Sha

_UNDER_WAY = ("rebase-merge", "rebase-apply", "BISECT_LOG", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_KINDS = {"120000": "link", "160000": "gitlink", "100644": "file", "100755": "script"}


class Item(NamedTuple):
    """What lies at a path: its mode as git has it (or "pipe", "socket"), the id of its bytes or target."""

    mode: str
    blob: Sha


class File(NamedTuple):
    """Something on disk, at a path relative to the code folder; ``../`` leads elsewhere."""

    path: str
    item: Item


class Staged(NamedTuple):
    """An entry of the index (git-ls-files(1), --stage)."""

    path: str
    mode: str
    blob: Sha
    stage: str


class Commit(NamedTuple):
    """A commit that was made in the run tree."""

    id: Sha


Good = File | Staged | Commit


@dataclass(frozen=True)
class State:
    """All of a run tree's code that a move could touch; ``index`` is ``None`` where git cannot read it.

    wtwatch's own refs are no part of it, nor whether HEAD is on a branch, as a move that fails may end that.
    """

    files: dict[str, Item]
    index: frozenset[Staged] | None
    refs: frozenset[str]
    under_way: tuple[str, ...]


def look(scene: Scene) -> State:
    """Read the state of the run tree's code, and of the folder elsewhere."""
    folder = scene.git_dir
    refs = scene.asks("for-each-ref").splitlines()
    return State(
        files=files_below(scene.code) | files_below(scene.elsewhere, "../elsewhere/"),
        index=_index(scene),
        refs=frozenset(ref for ref in refs if "\trefs/wtwatch/" not in ref),
        under_way=tuple(name for name in _UNDER_WAY if (folder / name).exists()),
    )


def files_below(root: Path, prefix: str = "") -> dict[str, Item]:
    """Return all that is no plain folder below ``root``, except git's own at its top, by path."""
    found = {}
    for folder, subfolders, files in os.walk(root):
        names = [*files, *(name for name in subfolders if (Path(folder) / name).is_symlink())]
        for full in (Path(folder) / name for name in names):
            if full != root / ".git":
                found[prefix + os.path.relpath(full, root)] = item(full)
    return found


def listed(root: Path) -> list[File]:
    """Return the same as a list."""
    return list(starmap(File, files_below(root).items()))


def item(path: Path) -> Item:
    """Return what lies at a path."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Item("120000", _blob(os.fsencode(path.readlink())))
    if not stat.S_ISREG(mode):
        return Item("pipe" if stat.S_ISFIFO(mode) else "socket", Sha(""))
    return Item("100755" if mode & stat.S_IXUSR else "100644", _blob(path.read_bytes()))


def written(path: str, data: bytes) -> File:
    """Return the plain file that has these bytes."""
    return File(path, Item("100644", _blob(data)))


def _blob(data: bytes) -> Sha:
    """Return the id under which git stores these very bytes (gitformat-pack(5) calls it a blob)."""
    return Sha(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


def _index(scene: Scene) -> frozenset[Staged] | None:
    listing = scene.asks("ls-files", "--stage", "-z")
    if not listing and scene.asks("rev-parse", "--is-inside-work-tree") != "true":
        return None
    entries = (entry.split("\t", 1) for entry in listing.split("\0") if entry)
    return frozenset(
        Staged(path, mode, Sha(blob), stage)
        for (mode, blob, stage), path in ((facts.split(" "), path) for facts, path in entries)
    )


def committed(scene: Scene, commit: str) -> Iterator[File]:
    """Yield all entries of a commit's tree (git-ls-tree(1))."""
    for entry in filter(None, scene.asks("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")):
        facts, path = entry.split("\t", 1)
        mode, _, blob = facts.split(" ")
        yield File(path, Item(mode, Sha(blob)))


def goods(scene: Scene, clean: State, troubled: State) -> list[Good]:
    """Return what the trouble brought into the tree; an empty blob in the index is nothing."""
    files = [File(path, found) for path, found in troubled.files.items() if clean.files.get(path) != found]
    empty = scene.git("hash-object", "-t", "blob", os.devnull)
    staged = (troubled.index or frozenset()) - (clean.index or frozenset())
    return [*files, *(entry for entry in sorted(staged) if entry.blob != empty), *_commits(scene)]


def _commits(scene: Scene) -> Iterator[Commit]:
    """Yield the commits made here: those of HEAD, refs and operations that the applied one does not reach."""
    known = [f"^{scene.applied}", "^main"]
    for commit in scene.git("rev-list", "--all", *held(scene), *known).split():
        yield Commit(Sha(commit))


def held(scene: Scene) -> Iterator[str]:
    """Yield HEAD, and what files in the work tree's git directory name (gitrepository-layout(5))."""
    folder = scene.git_dir
    passing = {"ORIG_HEAD", "FETCH_HEAD", "AUTO_MERGE"}
    files = [file for file in folder.glob("*HEAD") if file.name not in passing and file.name != "HEAD"]
    files += [*folder.glob("rebase-*/orig-head"), *folder.glob("rebase-*/autostash")]
    for file in files:
        yield from (word for word in file.read_text().split() if len(word) == 40)
    if head := scene.asks("rev-parse", "-q", "--verify", "HEAD"):
        yield head


class Evidence(NamedTuple):
    """Where goods may be after the move, beside their place.

    ``restored`` are the files that backups gave back; ``held`` the commits that HEAD, an operation or refs
    other than wtwatch's reach; ``reached`` the objects that any ref does; ``committed`` the files of commits
    that were made by hand and are reached; ``linked`` the submodules' entries of backups.
    """

    restored: Collection[File]
    held: Collection[str]
    reached: Collection[str]
    committed: Collection[File]
    linked: Collection[File]


def fate(good: Good, end: State, evidence: Evidence) -> str:
    """Return "kept", "backed up" or "LOST"."""
    match good:
        case File(path, wanted):
            kept = end.files.get(path) == wanted
            backed = good in evidence.committed or _given_back(path, wanted, evidence)
        case Staged(path, mode, blob, _):
            kept = good in (end.index or ())
            backed = blob in evidence.reached or File(path, Item(mode, blob)) in evidence.linked
        case Commit(id=commit):
            kept, backed = commit in evidence.held, commit in evidence.reached
    return "kept" if kept else "backed up" if backed else "LOST"


def _given_back(path: str, wanted: Item, evidence: Evidence) -> bool:
    return any(
        found == wanted and (place == path or place.endswith(f"/{path}"))
        for place, found in evidence.restored
    )


def told(good: Good) -> str:
    """Return a good in words."""
    match good:
        case File(path, (mode, _)):
            return f"{_KINDS.get(mode, mode)} {path!a}"
        case Staged(path, mode, _, stage):
            kind = "content" if mode.startswith("100") else _KINDS[mode]
            return f"staged {kind} of {path!a}" + (f", stage {stage}" if stage != "0" else "")
        case Commit(id=commit):
            return f"commit {commit[:10]}"
