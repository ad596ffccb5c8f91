"""What a git index lists, read off its file (gitformat-index(5)), without any git."""

from __future__ import annotations

_HEAD, _STAT, _MODE = 12, 40, 24
_MARKS = 0xF000
"""Bits in the flags of an entry that is assumed unchanged, has more flags, or is one stage of several."""

_KNOWN = (b"TREE", b"REUC", b"UNTR", b"FSMN", b"EOIE", b"IEOT")
"""Extensions that add no entries and take none away; a split or a sparse index has others."""

Entry = tuple[str, int, bytes]
"""A path, its mode, and the id of its blob."""


def entries(file: str, width: int = 20) -> list[Entry] | None:
    """Return what an index lists, in its order, where each id has ``width`` bytes.

    ``None`` where there is no index, and for one that does not list plain files alone: of another version
    than 2 or 3, split, sparse, unmerged, with submodules, or with entries that git does not compare.
    """
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError:
        return None
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in (2, 3):
        return None
    found, at = [], _HEAD
    for _ in range(int.from_bytes(data[8:12], "big")):
        mode = int.from_bytes(data[at + _MODE : at + _MODE + 4], "big")
        flags = int.from_bytes(data[at + _STAT + width : at + _STAT + width + 2], "big")
        start = at + _STAT + width + 2
        end = data.find(b"\0", start)
        if flags & _MARKS or mode == 0o160000 or end < 0:
            return None
        found.append((data[start:end].decode("utf-8", "surrogateescape"), mode, data[at + _STAT : start - 2]))
        at += (end - at + 8) & ~7  # with 1 to 8 zeros at its end
    return found if _adds_nothing(data, at, width) else None


def _adds_nothing(data: bytes, at: int, width: int) -> bool:
    """Return whether all that follows the entries, up to the sum at the end, leaves them as they are."""
    while at < len(data) - width:
        if data[at : at + 4] not in _KNOWN:
            return False
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return at == len(data) - width
