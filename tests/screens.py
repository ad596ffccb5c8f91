"""Whole screens as test data: a change of a screen shows in the diff of a file under ``tests/screens/``.

What differs from run to run (clocks, ids, places) is replaced before; the rest has to be the same, letter by
letter. After a change that is meant, `WTWATCH_SCREENS=write make test` writes the files anew: look at the
diff before it is committed.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "screens"

WRITES = os.environ.get("WTWATCH_SCREENS") == "write"
"""Whether the files are written anew; asked before a test shuts its room."""

_USUAL = {
    r"\b[0-9a-f]{40}\b": "<sha>",
    # one in 18,000 has no digit among its first ten; aaaaaaaaaa is the one of a test
    r"(?m)\b(?!([a-f])\1{9})[0-9a-f]{10}$": "<sha>",
    r"\b(?!([a-f])\1{9})[0-9a-f]{10}\b": "<sha>     ",  # 10 columns, as what it stands for
    r"\b\d{8}T\d{6}Z-[0-9a-f]+\b": "<backup>",
    r"\bpid \d+": "pid N",
}


def assert_screen(name: str, shown: str, replaced: Mapping[str, str] | None = None) -> None:
    """Assert that ``shown`` is the screen of that name (such as ``status-failed-night.80``).

    ``replaced`` are regular expressions and what stands for them, besides those for commits, backups and
    pids. No line may end in blanks; one of a name that ends in a number has at most so many columns.
    """
    for pattern, instead in {**(replaced or {}), **_USUAL}.items():
        shown = re.sub(pattern, instead, shown)
    lines = shown.splitlines()
    assert [line for line in lines if line != line.rstrip()] == [], "no trailing blanks"
    columns = name.rpartition(".")[2]
    if columns.isdigit():
        assert [line for line in lines if len(line) > int(columns)] == [], f"at most {columns} columns"
    file = FOLDER / f"{name}.txt"
    if WRITES:
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    if known != shown:
        diff = difflib.unified_diff(known.splitlines(), lines, f"screens/{file.name}", "shown", lineterm="")
        pytest.fail("\n".join(diff))
