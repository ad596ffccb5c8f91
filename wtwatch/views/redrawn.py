"""``status --live``: the screen, drawn anew in its place, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from wtwatch.views.terminal import harmless
from wtwatch.words.errors import UsageError

EVERY = 1.0
"""Seconds from one drawing to the next."""

_ROWS = 24
"""Of a terminal that does not say how many it has, as a serial line or what `script` makes in a pipe."""

# ECMA-48: to the start of so many lines above; clear to the end of the line, of the screen. DECTCEM of xterm.
_UP, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[{}F", "\x1b[K", "\x1b[J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


def redraw(lines: Callable[[], list[str]]) -> NoReturn:
    """Draw what ``lines`` returns, again and again in the same place, cut to the height of the terminal.

    Ends by an exception alone, such as that of Ctrl-C; what was drawn last stays. Raises
    :class:`UsageError` where nothing can be drawn over.
    """
    if not (sys.stdout and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError(
            "--live draws over what it drew before, which needs a terminal.",
            "Leave --live away; for programs there is `wtwatch status --json`.",
        )
    drawn = 0
    try:
        while True:
            shown = lines()[: max(_height() - 1, 1)]
            start = _UP.format(drawn) if drawn else _HIDE
            sys.stdout.write(
                start + "".join(f"{harmless(line)}{_CLEAR_LINE}\n" for line in shown) + _CLEAR_BELOW
            )
            sys.stdout.flush()
            drawn = len(shown)
            time.sleep(EVERY)
    finally:
        sys.stdout.write(_SHOW)
        sys.stdout.flush()


def _height() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).lines or _ROWS
