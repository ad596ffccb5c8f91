"""The environment of what runs in the run tree: jobs, set-ups, commands by hand."""

from __future__ import annotations

import os

from wtwatch.doors.repo import clean_env
from wtwatch.project.tree import RunTree


def tree_env(tree: RunTree) -> dict[str, str]:
    """Return the environment for what runs in the run tree: clean, its own ``.venv`` first on PATH."""
    env = clean_env()
    env["PATH"] = os.pathsep.join([str(tree.code_path / ".venv" / "bin"), env["PATH"]])
    return env
