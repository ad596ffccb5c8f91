"""Which files, at which content, say what an environment has to hold."""

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from wtwatch.doors.digests import sha1
from wtwatch.doors.porcelain import TreeEntry
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment.kind import PYTHON_FILES, Kind, bytes_of, text_of
from wtwatch.tree.environment.kinds import kind_of

_LEADS = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=)\s*(\S+)|-[rc](\S+)")
_LOCAL = re.compile(r"(?:-e|--editable)(?:\s+|=)\s*(\S+)|(\.{0,2}/\S*|\.)")
_SAID_BY = ("pyproject.toml", "setup.py", "setup.cfg")


def requirements(tree: RunTree, entries: Iterable[TreeEntry]) -> str:
    """Return which files, at which content, say what is wanted, a line each; "" without any.

    ``entries`` is what code's folder has at the commit that lies there: what is not in it is read.
    """
    kind, code = kind_of(tree), tree.code_folder
    ids = {entry.path: entry.sha for entry in entries}
    patterns = kind.files or PYTHON_FILES
    tops = (path for path in ids if any(fnmatch(path, pattern) for pattern in patterns))
    inside = (one for one in patterns if one.partition("/")[0] in ids and "/" in one)
    deep = (path for pattern in inside for path in _lies_in(code, pattern))
    found = dict.fromkeys([*tops, *deep])
    if not found and kind.or_all:
        found = dict.fromkeys(ids)
    found |= dict.fromkeys(_led_to(code, kind))
    return "\n".join(sorted(f"{path} {ids.get(path) or _content(code / path)}" for path in found))


def _lies_in(folder: Path, pattern: str) -> Iterator[str]:
    """Yield the files, by path, that a pattern with a folder in it means; the folder is code's own."""
    is_plain = not any(letter in pattern for letter in "*?[")
    found = [folder / pattern] if is_plain else sorted(folder.glob(pattern))
    yield from (file.relative_to(folder).as_posix() for file in found if file.is_file())


def _led_to(code: Path, kind: Kind) -> Iterator[str]:
    """Yield the files that a file of pip's leads to, and those of packages in folders that it names."""
    if not any("-r" in command for command in kind.commands):
        return
    known: set[str] = set()
    heads = [path for path in kind.files if path.endswith(".txt") and "*" not in path]
    while heads:
        path = heads.pop()
        if path in known:
            continue
        known.add(path)
        yield path
        heads += _leads(code, path)
        yield from _local(code, path)


def _lines(code: Path, path: str) -> list[str]:
    text = text_of(code / path)
    whole = re.sub(r"\\\n", " ", text)
    return [re.sub(r"(^|\s)#.*", "", line).strip() for line in whole.splitlines()]


def _leads(code: Path, path: str) -> list[str]:
    """Return the files that a file of requirements leads to; those from the net are not among them."""
    found = (_LEADS.match(line) for line in _lines(code, path))
    names = (one[1] or one[2] for one in found if one)
    folder = os.path.dirname(path)  # noqa: PTH120 - a path as text
    return [os.path.normpath(os.path.join(folder, name)) for name in names if "://" not in name]  # noqa: PTH118


def _local(code: Path, path: str) -> Iterator[str]:
    """Yield the files that say what a package in a folder needs which a file of requirements names."""
    for line in _lines(code, path):
        named = _LOCAL.match(line)
        place = (named[1] or named[2]).split("[")[0] if named else ""
        if place and "://" not in place:
            inside = (os.path.normpath(os.path.join(place, name)) for name in _SAID_BY)  # noqa: PTH118
            yield from (file for file in inside if (code / file).is_file())


def _content(file: Path) -> str:
    """Return what git would call the content of a file, "-" if it is not there."""
    data = bytes_of(file)
    return "-" if data is None else sha1(b"blob %d\0" % len(data) + data)
