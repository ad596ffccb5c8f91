"""Files such as `nohup.out`, or setuptools' `*.egg-info`: git and DataLad are told not to see them."""

from __future__ import annotations

import os
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree


def excludes_env(tree: RunTree) -> dict[str, str]:
    """Return the variables that make git ignore the project's ``ignore_untracked`` besides its usual ones.

    Git reads settings from GIT_CONFIG_COUNT and its like (git-config(1), "Environment"), whoever starts it,
    DataLad and git-annex too. There is one `core.excludesFile`, so the user's own is part of ours.
    """
    if not tree.project.ignore_untracked:
        return {}
    file = tree.state / "excludes"
    text = "\n".join([_users_own(tree.path), *tree.project.ignore_untracked, ""])
    if not file.exists() or file.read_text(encoding="utf-8", errors="surrogateescape") != text:
        write_whole(file, text)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.excludesFile",
        "GIT_CONFIG_VALUE_0": str(file),
    }


def _users_own(path: Path) -> str:
    named = Repo(path).git("config", "--type=path", "--get", "core.excludesFile", ok=(0, 1))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")  # gitignore(5)
    try:
        return Path(named or config / "git" / "ignore").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
