"""What Python compiled of modules in the run tree: gone after each move, lest it stands for other code.

Python takes a compiled module for that of a source which has the same size and the same second of change
(docs.python.org, "Cached bytecode invalidation"): a move can bring another version within that second.
"""

from __future__ import annotations

import os
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.project.tree import RunTree
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
