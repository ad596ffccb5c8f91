"""Words for hints that are pasted into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path


def quoted(path: Path | str) -> str:
    """Return a path as a shell takes it, safe from being read as an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
