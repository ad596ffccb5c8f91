"""Which programs this process starts, and with which words: a move shall take few, and no look any."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

Started = list[list[str]]


@contextmanager
def programs() -> Iterator[Started]:
    """Note the words of each program that is started while the body runs, from whichever thread."""
    started: Started = []
    begin = subprocess.Popen.__init__

    def noted(self: subprocess.Popen[bytes], args: Any, *rest: Any, **more: Any) -> None:
        started.append([args] if isinstance(args, str) else [str(word) for word in args])
        begin(self, args, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", noted)
        yield started
