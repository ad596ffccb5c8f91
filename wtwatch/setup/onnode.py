"""What a node of a cluster finds: ``python -P -m wtwatch.setup.onnode FOLDER RUN_TREE`` writes it there.

What lies in the file ``cookie`` of FOLDER comes back in ``answer``, so it is known to be the same folder.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from wtwatch import __version__
from wtwatch.doors.files import write_whole
from wtwatch.words.errors import WtwatchError

ANSWER = "answer"
COOKIE = "cookie"


class Node(NamedTuple):
    """A node as it sees itself: its name, its clock (seconds since 1970), what it has and sees.

    A version is empty where the program is not there, or does not run.
    """

    host: str
    clock: float
    cookie: str
    sees_tree: bool
    python: str
    wtwatch: str
    git: str
    git_annex: str


def look(folder: Path, run_tree: Path) -> Node:
    """Return what this host finds; raises :class:`OSError` where the folder is not seen."""
    return Node(
        host=os.uname().nodename,
        clock=time.time(),
        cookie=(folder / COOKIE).read_text(),
        sees_tree=os.path.lexists(run_tree / ".git"),
        python=platform.python_version(),
        wtwatch=__version__,
        git=_first_line("git", "version").removeprefix("git version "),
        git_annex=_first_line("git", "annex", "version", "--raw"),
    )


def answered(folder: Path) -> Node | None:
    """Return what a node wrote, if it has by now; raises :class:`WtwatchError` for what is no such answer."""
    if ANSWER not in os.listdir(folder):  # noqa: PTH208 - asks a network file system anew
        return None
    try:
        return Node(**json.loads((folder / ANSWER).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WtwatchError(
            f"What the node wrote cannot be read: {error}", "Is it the same wtwatch?"
        ) from error


def _first_line(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write_whole(place / ANSWER, json.dumps(look(place, Path(sys.argv[2]))._asdict()))
