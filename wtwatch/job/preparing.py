"""Outputs that a command may write, and inputs that are there, before it runs: as DataLad prepares them.

Where an output is a file of the annex, its content is copied over the symlink: what `git annex unlock` does,
without its 0.2 s, and without telling git's index, which would slow what follows. Removing the symlink would
break commands that append.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_POINTER = b"/annex/objects/"
_CONTENT = ".git/annex/objects/"
_POINTER_SIZE = 32768
"""More bytes than a pointer of git-annex can have ("Unlocked files" of its internals)."""

_DRAFT = ".wtwatch-copy"


def is_lacking(paths: Iterable[Path | str]) -> bool:
    """Return whether content of any of the paths, or of files below them, is not here."""
    return any(_lacks(str(path)) for path in paths)


def outside(paths: Iterable[str], top: Path) -> list[str]:
    """Return which paths are not of the tree at ``top``: elsewhere, or there behind a link to a folder."""
    found = ((path, os.path.normpath(path)) for path in paths)
    return [path for path, place in found if not _is_inside(place, str(top))]


def _is_inside(place: str, top: str) -> bool:
    if not f"{place}/".startswith(f"{top}/"):
        return False
    return not _is_behind_a_link(os.path.dirname(place), top) or not os.path.lexists(place)


def make_writable(paths: Iterable[Path | str]) -> None:
    """Make files of the annex at the paths, and below them, plain files that can be written to.

    One of the paths whose content is not here is removed: a command that makes that file does not need it. In
    a folder such a file stays, as all does that is not of the annex. Modes and times of modification stay.
    Raises :class:`OSError`.
    """
    for path in map(os.path.normpath, paths):
        for file in files_at(path):
            if _is_absent(file):
                if file == path:
                    Path(file).unlink()
            elif _is_link_to_content(file):
                _copy_over(Path(file))


@cache
def _is_behind_a_link(folder: str, top: str) -> bool:
    here = os.path.relpath(folder, top)
    return os.path.realpath(folder) != os.path.normpath(os.path.join(os.path.realpath(top), here))


def files_at(path: str) -> Iterator[str]:
    """Yield a file, or the files below a folder; what lies in another dataset is not looked for.

    Paths are text here and below, as there may be very many.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        if os.path.lexists(path):
            yield path
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name != ".git" and not os.path.lexists(f"{entry.path}/.git"):
                yield from files_at(entry.path)


def _lacks(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return True
    return any(map(_is_absent, files_at(path))) if stat.S_ISDIR(found.st_mode) else _is_pointer(path, found)


def _is_absent(file: str) -> bool:
    """Return whether a file of the annex has no content here, as a link or as a pointer in its place."""
    try:
        found = os.stat(file)
    except OSError:
        return _is_link_to_content(file)
    return _is_pointer(file, found)


def _is_pointer(file: str, found: os.stat_result) -> bool:
    """Return whether a file is a pointer; ``found`` is what it, or what it leads to, was found to be.

    So most of very many are known by one look: content is larger, mostly.
    """
    if not stat.S_ISREG(found.st_mode) or found.st_size > _POINTER_SIZE or os.path.islink(file):
        return False
    with open(file, "rb") as content:
        return content.read(len(_POINTER)) == _POINTER


def _is_link_to_content(file: str) -> bool:
    return os.path.islink(file) and _CONTENT in os.readlink(file)


def _copy_over(file: Path) -> None:
    content = file.resolve()
    draft = file.with_name(f"{file.name[:200]}{_DRAFT}")
    found = content.stat()
    try:
        shutil.copyfile(content, draft)
        draft.chmod(stat.S_IMODE(found.st_mode) | stat.S_IWUSR)
        os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
