"""The environment of what runs in the run tree: jobs, set-ups, commands by hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from wtwatch.doors.toolenv import for_tools, is_own_environment, own_folder, with_tools
from wtwatch.project.tree import RunTree


def for_jobs(tree: RunTree) -> dict[str, str]:
    """Return the environment for what runs in the run tree, whoever started the daemon from which shell.

    Its own ``.venv`` comes first on PATH. No folder of the main tree is on it, and none of wtwatch's own
    environment: git-annex, DataLad and uv come from a folder that holds nothing else. What Python compiles
    of modules that jobs import lies outside of the tree, or it would be a result, or an edit of code.
    """
    env = for_tools() | {"PYTHONPYCACHEPREFIX": str(tree.bytecode)}
    folders = _allowed(tree, os.environ.get("PATH", os.defpath).split(os.pathsep))
    env["PATH"] = os.pathsep.join(
        [str(tree.code_folder / ".venv" / "bin"), with_tools(os.pathsep.join(folders))]
    )
    return env


def _allowed(tree: RunTree, folders: Iterable[str]) -> Iterator[str]:
    """Yield the folders that do not lie in the main tree, nor are those of our own environment."""
    own = {own_folder(), own_folder().resolve()} if is_own_environment() else set()
    main = tree.project.main_tree
    for folder in folders:
        place = Path(folder)
        inside = any(path.is_relative_to(main) for path in (place, place.resolve()))
        if not inside and place not in own and place.resolve() not in own:
            yield folder
