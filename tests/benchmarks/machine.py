"""On what it was measured: the machine and the versions, in two lines."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from wtwatch import __version__


def described(folder: Path) -> str:
    """Return the machine, with the file system of ``folder``, and the versions of all that took part."""
    system = f"{platform.system()} {platform.release()}, {_file_system(folder)}"
    tools = [
        f"wtwatch {__version__}",
        f"Python {platform.python_version()}",
        f"DataLad {version('datalad')}",
        *(f"{tool} {_version_of(tool)}" for tool in ("git", "git-annex", "jj", "uv") if shutil.which(tool)),
    ]
    return f"Machine: {os.cpu_count()} cores ({_processor()}), {system}.\nVersions: {', '.join(tools)}."


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _file_system(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    around = [(len(place), kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    return max(around)[1]


def _version_of(tool: str) -> str:
    word = "version" if tool == "git-annex" else "--version"
    said = subprocess.run([tool, word], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d[\w.]*", said)
    return found[0] if found else "?"
