"""What a git index lists, read off its file (gitformat-index(5)), without any git."""

from __future__ import annotations

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD, _STAT, _MODE = 12, 40, 24
_MARKS = 0xF000
"""Bits in the flags of an entry that is assumed unchanged, has more flags, or is one stage of several."""

_KNOWN = (b"TREE", b"REUC", b"UNTR", b"FSMN", b"EOIE", b"IEOT")
"""Extensions that add no entries and take none away; a split or a sparse index has others."""

_GLANCE = 32 << 20
"""Bytes that are gone through to look for names, in some ten milliseconds: a git takes as long."""

_OTHERS = (b"link", b"sdir")
"""Extensions by which entries are in other files, or stand for whole folders."""

Entry = tuple[str, int, bytes]
"""A path, its mode, and the id of its blob."""


def entries(file: str, width: int = 20, below: tuple[str, ...] = ()) -> list[Entry] | None:
    """Return what an index lists, in its order, where each id has ``width`` bytes.

    ``None`` where there is no index, and for one that does not list plain files alone: of another version
    than 2 or 3, split, sparse, unmerged, with submodules, or with entries that git does not compare. What is
    not ``below`` certain paths is passed over, if there are any.
    """
    read = _read(file, width, below)
    return read[0] if read else None


def compared(file: str, width: int = 20, below: tuple[str, ...] = ()) -> tuple[list[bytes], bytes] | None:
    """Return what git noted of each file that an index lists, and the id of the tree that it makes.

    That is of each file, in the order of :func:`entries`, the ten numbers by which git tells whether it
    changed. ``None`` also where the index does not say which tree that is, as after a `git add`.
    """
    read = _read(file, width, below)
    tree = _tree_of(read[2].get(b"TREE", b""), width) if read else None
    return (read[1], tree) if read and tree else None


def lacks(file: str, paths: Iterable[str], width: int = 20) -> bool:
    """Return whether an index certainly lists none of the paths, and nothing that would be above or below.

    ``False`` also where that is not seen at a glance: names are looked for wherever they may be in the file,
    one after the other.
    """
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError:
        return False
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in (2, 3):
        return False
    if any(kind in data for kind in _OTHERS):
        return False
    end = data.rfind(b"TREE")  # which has names of folders; all before it are entries
    if end < 0 or _extensions(data, end, width) is None:
        end = len(data)
    left = _GLANCE // max(end, 1)
    for path in paths:
        name = path.encode("utf-8", "surrogateescape")
        above = [name[:at] for at in range(len(name)) if name[at : at + 1] == b"/"]
        sought = (name + b"/", *(one + b"\0" for one in (name, *above)))
        left -= len(sought)
        if left < 0 or any(data.find(one, 0, end) >= 0 for one in sought):
            return False
    return True


def _read(
    file: str, width: int, below: tuple[str, ...]
) -> tuple[list[Entry], list[bytes], dict[bytes, bytes]] | None:
    """Return the entries of an index, what git noted of each file, and the extensions."""
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError:
        return None
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in (2, 3):
        return None
    found, noted, at = [], [], _HEAD
    inside = tuple(f"{path}/".encode("utf-8", "surrogateescape") for path in below)
    for _ in range(int.from_bytes(data[8:12], "big")):
        mode = int.from_bytes(data[at + _MODE : at + _MODE + 4], "big")
        flags = int.from_bytes(data[at + _STAT + width : at + _STAT + width + 2], "big")
        start = at + _STAT + width + 2
        end = data.find(b"\0", start)
        if end < 0:
            return None
        if not inside or (data[start:end] + b"/").startswith(inside):
            if flags & _MARKS or mode == 0o160000:
                return None
            path = data[start:end].decode("utf-8", "surrogateescape")
            found.append((path, mode, data[at + _STAT : start - 2]))
            noted.append(data[at : at + _STAT])
        at += (end - at + 8) & ~7  # with 1 to 8 zeros at its end
    extensions = _extensions(data, at, width)
    return None if extensions is None else (found, noted, extensions)


def _extensions(data: bytes, at: int, width: int) -> dict[bytes, bytes] | None:
    """Return what follows the entries up to the sum at the end; ``None`` if it alters them."""
    found = {}
    while at < len(data) - width:
        name, end = data[at : at + 4], at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if name not in _KNOWN:
            return None
        found[name] = data[at + 8 : end]
        at = end
    return found if at == len(data) - width else None


def _tree_of(extension: bytes, width: int) -> bytes | None:
    """Return the id of the top tree from the extension "TREE", where that is valid."""
    path, _, rest = extension.partition(b"\0")
    numbers, _, ids = rest.partition(b"\n")
    valid = not path and numbers.split(b" ")[0].isdigit()  # of one that is not there is -1 entries
    return ids[:width] if valid and len(ids) >= width else None
