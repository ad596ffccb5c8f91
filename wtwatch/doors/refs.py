"""What refs say, read off git's own files: where nothing moved, no program has to start to find that out.

The layout is that of gitrepository-layout(5): a file per ref, over lines in ``packed-refs``. Where files
cannot tell, as with reftables, git is asked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

DEPTH = 5
"""How many refs one ref may lead through, as git has it (SYMREF_MAXDEPTH in refs-internal.h of git)."""

_SHA = re.compile(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?)\s*\Z")
_SYMBOLIC = re.compile(rb"ref:\s*(\S.*?)\s*\Z", re.DOTALL)


def chain(common: Path, ref: str) -> tuple[str, ...]:
    """Return the refs that ``ref`` leads through, itself first (git-symbolic-ref(1)); mostly it is alone.

    ``common`` is the git directory that all work trees of the repository share.
    """
    refs = [ref]
    while len(refs) <= DEPTH and (target := _target(common / refs[-1])):
        if target in refs or not _is_inside(target):
            break
        refs.append(target)
    return tuple(refs)


def tip_of(repo: Repo, ref: str) -> Sha | None:
    """Return the commit that a branch points to, ``None`` where it is not there."""
    return tip_in(repo, repo.common_dir(), ref)


def tip_in(repo: Repo, common: Path, ref: str) -> Sha | None:
    """Return what :func:`tip_of` does, of a repository whose common git directory is known already."""
    if uses_reftables(common):
        return repo.resolve(ref)
    refs = chain(common, ref)
    text = text_of(common / refs[-1])
    if text is None:
        return _packed(common, refs[-1])
    found = _SHA.match(text)
    return Sha(found[1].decode("ascii")) if found else repo.resolve(ref)  # odd: git knows what to make of it


def below(repo: Repo, prefix: str) -> set[str]:
    """Return the full names of all refs that begin with ``prefix``, which ends in a slash."""
    common = repo.common_dir()
    if uses_reftables(common):
        return set(repo.refs(prefix))
    loose = {Path(folder) / name for folder, _, names in os.walk(common / prefix) for name in names}
    found = {str(file.relative_to(common)) for file in loose if file.suffix != ".lock"}
    wanted = rb"^[0-9a-f]{40,64} (%b.*)$" % re.escape(os.fsencode(prefix))
    return found | set(map(os.fsdecode, re.findall(wanted, _packs(common), re.MULTILINE)))


def head_of(repo: Repo) -> Sha | None:
    """Return the commit that a work tree is at, ``None`` where there is none yet."""
    branch = repo.branch()
    return tip_of(repo, f"refs/heads/{branch}") if branch else repo.resolve("HEAD")


def uses_reftables(common: Path) -> bool:
    """Return whether the refs of a repository lie in tables that git alone reads."""
    return (common / "reftable").is_dir()


def text_of(file: Path) -> bytes | None:
    """Return what a small file holds; ``None`` where there is none, or a folder in its place."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(handle, 65536)
    except OSError:  # a folder: the bookmark made way for bookmarks beneath it
        return None
    finally:
        os.close(handle)


def _target(file: Path) -> str | None:
    if file.is_symlink():  # as git wrote them once, see core.preferSymlinkRefs in git-config(1)
        link = os.readlink(file)  # noqa: PTH115 - as text, since it is a name and no path
        return link if link.startswith("refs/") else None
    found = _SYMBOLIC.match(text_of(file) or b"")
    return os.fsdecode(found[1]) if found else None


def _is_inside(ref: str) -> bool:
    return not ref.startswith("/") and ".." not in ref


def _packed(common: Path, ref: str) -> Sha | None:
    wanted = rb"^([0-9a-f]{40,64}) %b$" % re.escape(os.fsencode(ref))
    found = re.search(wanted, _packs(common), re.MULTILINE)
    return Sha(found[1].decode("ascii")) if found else None


def _packs(common: Path) -> bytes:
    try:
        return (common / "packed-refs").read_bytes()
    except OSError:
        return b""
