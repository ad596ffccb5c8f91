"""What jobs printed, in parts: logs may be larger than memory."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 65536
_LONGEST = 1 << 20
"""Bytes of the longest line that is looked at as one: progress bars write megabytes without a line's end."""


def copied(log: Path, start: int = 0) -> Iterator[bytes]:
    """Yield what a log holds from byte ``start`` on, in blocks; nothing where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                yield block
    except FileNotFoundError:
        return


def start_of_last(log: Path, lines: int) -> int:
    """Return at which byte of a log its last ``lines`` lines begin; 0 where it has no more."""
    try:
        with log.open("rb") as file:
            at = size = file.seek(0, os.SEEK_END)
            wanted = lines
            if lines == 0:
                return size
            while at > 0:
                before, at = at, max(0, at - _BLOCK)
                file.seek(at)
                block = file.read(before - at)
                if before == size and block.endswith(b"\n"):  # that ends the last line, and begins none
                    block = block[:-1]
                for found in reversed(list(re.finditer(b"\n", block))):
                    if wanted <= 1:
                        return at + found.end()
                    wanted -= 1
    except FileNotFoundError:
        pass
    return 0


def matching(log: Path, pattern: re.Pattern[str], lines: int | None = None) -> Iterator[bytes]:
    """Yield the lines of a log in which ``pattern`` is found: all, or the last so many."""
    found = (line for line in _lines(log) if pattern.search(line.decode("utf-8", "surrogateescape")))
    yield from found if lines is None else deque(found, maxlen=lines)


def last_words(log: Path, lines: int) -> list[str]:
    """Return the last lines of a log as text, without those that are empty."""
    block = b"".join(copied(log, max(start_of_last(log, 3 * lines), _size(log) - _BLOCK)))
    texts = [line.rstrip() for line in re.split(r"[\r\n]+", block.decode("utf-8", "replace"))]
    return [text for text in texts if text.strip()][-lines:]


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def _lines(log: Path) -> Iterator[bytes]:
    try:
        with log.open("rb") as file:
            while line := file.readline(_LONGEST):
                yield line if line.endswith(b"\n") else line + b"\n"
    except FileNotFoundError:
        return
