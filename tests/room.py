"""The sealed room: a home and an environment in which nothing of the machine's own settings shows."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TOOLS = ("git", "git-annex", "datalad", "uv", "jj")
JJ_OF_MAKE = Path(__file__).parents[1] / ".cache" / "jj" / "bin"

_KEPT = re.compile(r"CI|LOGNAME|USER|PYTEST_.*|COVERAGE_.*")


def missing_tools(base: Mapping[str, str]) -> list[str]:
    """Return which of the tools that the tests need are not there."""
    path = _search_path(base)
    return [tool for tool in TOOLS if shutil.which(tool, path=path) is None]


def _search_path(base: Mapping[str, str]) -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", os.defpath), str(JJ_OF_MAKE)])


def sealed_env(home: Path, uv_cache: Path, base: Mapping[str, str]) -> dict[str, str]:
    """Make ``home`` a user's home, and return an environment that knows nothing else of this machine.

    Who commits stands in files of that home, since wtwatch strips GIT_AUTHOR_NAME and its like.
    """
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    who = 'name = "Lab Author"\nemail = "lab@example.org"\n'
    _put(home / ".gitconfig", f"[user]\n{who}[init]\ndefaultBranch = main\n")
    _put(home / "jj.toml", f'[user]\n{who}[ui]\npaginate = "never"\n')
    return {key: value for key, value in base.items() if _KEPT.fullmatch(key)} | {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),  # uv leaves a lock there for each environment
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "JJ_CONFIG": str(home / "jj.toml"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "PATH": _tool_path(_search_path(base)),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(uv_cache),
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
        "DATALAD_UI_PROGRESSBAR": "none",
    }


def let_git_know_nobody(home: Path) -> None:
    """Leave git with nobody to name as author of a commit, whatever it could guess of this machine."""
    _put(home / ".gitconfig", "[user]\nuseConfigOnly = true\n[init]\ndefaultBranch = main\n")


def _put(file: Path, text: str) -> None:
    """Write a file whole: workers share a home, and none of them may read half a file that another writes."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


@cache
def _tool_path(search: str) -> str:
    """Where the tools are, of the folders of ``search``, and where the system's own are, and nothing else."""
    found = (shutil.which(tool, path=search) for tool in TOOLS)
    folders = [str(Path(sys.executable).parent), *(str(Path(tool).parent) for tool in found if tool)]
    folders += ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    return os.pathsep.join(dict.fromkeys(folders))
