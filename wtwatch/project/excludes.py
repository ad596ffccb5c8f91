"""Files such as `nohup.out`, or setuptools' `*.egg-info`: git and DataLad are told not to see them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from wtwatch.doors.files import write_whole
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree

_SPECIAL, _ESCAPED = re.compile(r"[\\*?\[\]!# ]"), r"\\\g<0>"


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


@contextmanager
def besides(top: Path, paths: Iterable[str]) -> Iterator[Path | None]:
    """Yield a file that has git ignore untracked ``paths`` of a repository, and what it ignores anyway.

    That is what this process was told, or the user's own where it was told nothing. Without paths there is
    none. As there is one such file for all repositories, what lies there in others is not seen either.
    """
    lines = [f"/{_SPECIAL.sub(_ESCAPED, path)}" for path in paths if "\n" not in path]
    if not lines:
        yield None
        return
    with NamedTemporaryFile("w", prefix="wtwatch-", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join([_in_force(top), *lines, ""]))
        file.flush()
        yield Path(file.name)


def _in_force(top: Path) -> str:
    for number in range(int(os.environ.get("GIT_CONFIG_COUNT") or 0)):
        if os.environ.get(f"GIT_CONFIG_KEY_{number}") == "core.excludesFile":
            file = Path(os.environ[f"GIT_CONFIG_VALUE_{number}"])
            return file.read_text(encoding="utf-8", errors="surrogateescape")
    return _users_own(top)


def _users_own(path: Path) -> str:
    named = Repo(path).git("config", "--type=path", "--get", "core.excludesFile", ok=(0, 1))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")  # gitignore(5)
    try:
        return Path(named or config / "git" / "ignore").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
