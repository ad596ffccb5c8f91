"""What Python compiled of modules in the run tree: gone after each move, lest it stands for other code.

Python takes a compiled module for that of a source which has the same size and the same second of change
(docs.python.org, "Cached bytecode invalidation"): a move can bring another version within that second.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree.diff import Change
from wtwatch.tree.obstacles import is_here
from wtwatch.words.model import Sha

_NOTE = "of"


def stands_for(tree: RunTree, code: Sha) -> None:
    """See to it that what was compiled of the tree is of this commit of code.

    What was compiled of an environment stays, which costs most and changes by its installer alone.
    """
    note = tree.bytecode / _NOTE
    if note.exists() and note.read_text(encoding="utf-8") == code:
        return
    compiled = tree.bytecode / tree.path.relative_to("/")
    for folder, inner, names in os.walk(compiled):
        inner[:] = [name for name in inner if name != ".venv"]
        for name in names:
            Path(folder, name).unlink(missing_ok=True)
    tree.bytecode.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(note, code)


def is_of(changes: Iterable[Change]) -> bool:
    """Return whether :func:`drop` may have something to do."""
    return any(change.path.endswith(".py") for change in changes)


def drop(repo: Repo, changes: Iterable[Change], tracked: Collection[str]) -> None:
    """Delete the bytecode of Python files that ``changes`` altered; Python makes it anew.

    It takes a file for unchanged whose size and time in whole seconds are as noted (PEP 3147), so two quick
    moves could have the code of one run under the name of the other. What is ``tracked`` is the user's.
    """
    altered: dict[str, set[str]] = {}
    for change in changes:
        folder, _, name = change.path.rpartition("/")
        if name.endswith(".py"):
            altered.setdefault(f"{folder}/__pycache__".lstrip("/"), set()).add(name.removesuffix(".py"))
    for cache, stems in altered.items():
        if not is_here(repo.path, f"{cache}/"):
            continue
        for made in (repo.path / cache).glob("*.pyc"):
            words = made.name.split(".")  # a module, perhaps with dots, then a tag of the Python that made it
            known = any(".".join(words[:end]) in stems for end in range(1, len(words)))
            if known and f"{cache}/{made.name}" not in tracked:
                made.unlink(missing_ok=True)
