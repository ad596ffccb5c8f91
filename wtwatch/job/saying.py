"""What the process of a job says itself, in the log among what its command prints."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Write a sentence of ours into the log."""
    with suppress(OSError):  # it may be on a full disk
        sys.stderr.write(f"wtwatch: {text}\n")
