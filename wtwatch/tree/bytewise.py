"""Files as git objects and back, byte for byte: no filter, line end or attribute of git comes in between."""

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import digests
from wtwatch.doors.repo import Repo
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

FILE, PROGRAM, LINK = "100644", "100755", "120000"
"""The modes of a plain file, of one that may be executed, and of a symlink (git-fast-import(1))."""

NOTHING = "000000"
"""The mode of what is not there (git-diff-tree(1))."""

POINTER_SIZE = 32768
"""More bytes than a pointer of git-annex can have ("Unlocked files" of its internals)."""

_KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_POINTER = re.compile(rb"/annex/objects/([^\n]+)\n?")


class Entry(NamedTuple):
    """One file of a tree of git."""

    mode: str
    blob: Sha
    path: str


def kind_of(path: Path) -> str | None:
    """Return the word for what git cannot hold, such as a FIFO; ``None`` for all else, and for nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(path.lstat().st_mode))
    except OSError:
        return None


def is_file(path: Path) -> bool:
    """Return whether a file or a symlink lies there."""
    return path.is_symlink() or path.is_file()


def entries_of(repo: Repo, root: Path, paths: Iterable[str], scratch: Path) -> list[Entry]:
    """Write files and symlinks below ``root`` into git's object store; return what a tree says of them.

    ``scratch`` is a folder for what lies there only meanwhile. Raises :class:`WtwatchError` for what is
    neither, and for files that cannot be read.
    """
    sources: list[Path] = []
    modes: list[str] = []
    for path in paths:
        full = root / path
        found = full.lstat()
        if stat.S_ISLNK(found.st_mode):
            draft = scratch / f"link-{len(sources)}"
            draft.write_bytes(_target(full))
            full = draft
        elif not stat.S_ISREG(found.st_mode):
            raise WtwatchError(f"{full} is a {kind_of(full) or 'folder'}, which git cannot keep.")
        sources.append(full)
        executable = PROGRAM if found.st_mode & stat.S_IXUSR else FILE
        modes.append(LINK if stat.S_ISLNK(found.st_mode) else executable)
    if not sources:
        return []
    listing = "".join(f"{_in_quotes(file)}\n" for file in sources)
    blobs = repo.git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listing).split()
    return [Entry(mode, Sha(blob), path) for mode, blob, path in zip(modes, blobs, paths, strict=True)]


def _in_quotes(path: Path) -> str:
    r"""Return a path as git takes it from a line: one that ends with ``\r`` would lose it else."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f]", lambda found: f"\\{ord(found[0]):03o}", text) + '"'


def put(repo: Repo, env: Mapping[str, str], entries: Sequence[Entry], gone: Iterable[str] = ()) -> None:
    """Put entries into the index that ``env`` names, all their stages replaced; take out what is ``gone``."""
    out = [f"0 {'0' * 40}\t{path}\0" for path in (*gone, *(entry.path for entry in entries))]
    lines = [f"{entry.mode} {entry.blob}\t{entry.path}\0" for entry in entries]
    repo.git("update-index", "--add", "--replace", "-z", "--index-info", stdin="".join(out + lines), env=env)


def tree_of(repo: Repo, entries: Sequence[Entry], index: Path) -> Sha:
    """Write a tree of ``entries`` alone; ``index`` is a file that is not there yet. Return the tree's id."""
    env = {"GIT_INDEX_FILE": str(index)}
    put(repo, env, entries)
    return Sha(repo.git("write-tree", env=env))


def blob_id(file: Path, digits: int) -> Sha:
    """Return the id that a file or symlink has in git as it is: by SHA-1, or SHA-256 if it has 64 digits."""
    kind = "sha1" if digits == 40 else "sha256"
    if file.is_symlink():
        target = _target(file)
        digest = digests.new(kind)
        digest.update(b"blob %d\0%s" % (len(target), target))
        return Sha(digest.hexdigest())
    with file.open("rb") as content:
        size = os.fstat(content.fileno()).st_size
        digest = digests.new(kind, size)
        digest.update(b"blob %d\0" % size)
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return Sha(digest.hexdigest())


def _target(link: Path) -> bytes:
    return os.readlink(os.fsencode(link))  # noqa: PTH115 - a Path would tidy it up


def annex_key(content: bytes) -> str | None:
    """Return the key that a pointer of git-annex names (its "pointer file format"), or ``None``."""
    found = _POINTER.match(content)
    return os.fsdecode(found[1]) if found else None


def pointers_among(repo: Repo, blobs: Sequence[Sha]) -> set[Sha]:
    """Return those of ``blobs`` that are pointers to content in the annex."""
    if not blobs:
        return set()
    asked = "".join(f"{blob}\n" for blob in blobs)
    with repo.ask("cat-file", "--batch", feed=True) as asking:
        rest = asking.printed(stdin=asked)
    found = set()
    for blob in blobs:
        header, _, rest = rest.partition(b"\n")
        size = int(header.split()[2])
        if annex_key(rest[:size]):
            found.add(blob)
        rest = rest[size + 1 :]
    return found


def write(repo: Repo, entry: Entry, file: Path) -> None:
    """Write an entry of a tree to ``file``, where nothing lies yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(file, shape, 0o777 if entry.mode == PROGRAM else 0o666)
    try:
        repo.write_blob(entry.blob, handle)
    finally:
        os.close(handle)
    if entry.mode == LINK:
        target = file.read_bytes()
        file.unlink()
        os.symlink(target, os.fsencode(file))  # noqa: PTH211 - a Path would tidy up the target
