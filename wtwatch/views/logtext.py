"""What jobs printed, in parts: logs may be larger than memory."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from math import inf
from pathlib import Path

from wtwatch.views.jobwords import one_line

_BLOCK = 65536

_AROUND = ("[INFO] ", "[INFO   ] ", "run(error): ", "run(ok): ")
"""How lines begin that DataLad prints before and after a command, of which the last only repeats it."""

_DONE = re.compile(r"\w+\((ok|notneeded)\): ")
"""How those begin that tell of what it did (datalad's result records)."""

_EXIT = re.compile(rb"(?m)^\[INFO *\] == Command exit")
_TAIL = 4096
"""Bytes at the end of what a command printed in which its last line is looked for."""

_FAR = 1 << 22
"""Bytes at the end of a log in which the line is looked for that tells of the command's end."""

_LONGEST = 1 << 20
"""Bytes of the longest line that is looked at as one: progress bars write megabytes without a line's end."""


def copied(log: Path, start: int = 0, end: float = inf) -> Iterator[bytes]:
    """Yield what a log holds from byte ``start`` up to ``end``, in blocks; nothing where there is no log."""
    try:
        with log.open("rb") as file:
            at = file.seek(start)
            while block := file.read(int(min(_BLOCK, end - at))):
                at += len(block)
                yield block
    except FileNotFoundError:
        return


def start_of_last(log: Path, lines: int, end: int | None = None) -> int:
    """Return at which byte of a log its last ``lines`` lines begin, up to ``end``; 0 where it has no more."""
    try:
        with log.open("rb") as file:
            at = size = file.seek(0, os.SEEK_END) if end is None else end
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


def end_of_words(log: Path) -> int:
    """Return at which byte that ends which a command printed: before what DataLad says of its end.

    Results of what DataLad did before the command may come after it, as they are written late.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = file.seek(max(0, size - _FAR))
            tail = file.read()
    except FileNotFoundError:
        return 0
    if exits := list(_EXIT.finditer(tail)):
        tail = tail[: exits[-1].start()]
    lines = tail.splitlines(keepends=True)
    while lines and (not lines[-1].strip() or is_datalads(lines[-1].decode("utf-8", "replace"))):
        lines.pop()
    return begin + sum(map(len, lines)) if lines else size


def is_datalads(line: str) -> bool:
    """Return whether DataLad said a line, and it tells of no trouble but that the command had one."""
    return line.startswith(_AROUND) or bool(_DONE.match(line))


def last_line(log: Path) -> str | None:
    """Return the last line that a command printed, however long its log is; control characters escaped.

    Where it printed none, that is what DataLad said last of another trouble; ``None`` without one, or a log.
    """
    end = end_of_words(log)
    for begin, until in ((max(0, end - _TAIL), end), (max(end, _size(log) - _TAIL), _size(log))):
        text = b"".join(copied(log, begin, until)).decode("utf-8", "backslashreplace")
        first, *more = text.splitlines() or [""]
        lines = map(one_line, more if more and begin else [first, *more])  # the first may be cut off
        if said := [line for line in lines if line and not is_datalads(line)]:
            return said[-1]
    return None


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def matching(log: Path, pattern: re.Pattern[str], lines: int | None = None) -> Iterator[bytes]:
    """Yield the lines of a log in which ``pattern`` is found: all, or the last so many."""
    found = (line for line in _lines(log) if pattern.search(line.decode("utf-8", "surrogateescape")))
    yield from found if lines is None else deque(found, maxlen=lines)


def last_words(log: Path, lines: int) -> list[str]:
    """Return the last lines of what a command printed as text, without those that are empty."""
    end = end_of_words(log)
    block = b"".join(copied(log, max(start_of_last(log, 3 * lines, end), end - _BLOCK), end))
    texts = [line.rstrip() for line in re.split(r"[\r\n]+", block.decode("utf-8", "replace"))]
    return [text for text in texts if text.strip()][-lines:]


def _lines(log: Path) -> Iterator[bytes]:
    try:
        with log.open("rb") as file:
            while line := file.readline(_LONGEST):
                yield line if line.endswith(b"\n") else line + b"\n"
    except FileNotFoundError:
        return
