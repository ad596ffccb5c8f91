"""The ways to bring a run tree to its bookmark that are set side by side: three of git, and wtwatch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.loss.scene import Scene

PATIENCE = 120.0
"""Seconds after which a command is taken to hang."""

WTWATCH = "wtwatch sync"
GIT = {
    "git reset --hard": ("reset", "-q", "--hard", "runs"),
    "git reset --keep": ("reset", "-q", "--keep", "runs"),
    "git checkout --no-overwrite-ignore": ("checkout", "-q", "--no-overwrite-ignore", "--detach", "runs"),
}
WAYS = (*GIT, WTWATCH)


class Said(NamedTuple):
    """What a command answered: exit code, and its words on both streams."""

    code: int
    words: str


def go(scene: Scene, way: str) -> Said:
    """Bring the run tree's code to the bookmark in one way, as a user would at first."""
    if way == WTWATCH:
        return wtwatch(scene, "sync")
    return _run(scene.code, "git", *GIT[way])


def wtwatch(scene: Scene, *words: str) -> Said:
    """Run a command line of wtwatch in the main tree."""
    return _run(scene.house.project.main_tree, sys.executable, "-P", "-m", "wtwatch", *words)


def _run(folder: Path, *command: str) -> Said:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=PATIENCE,
    )
    return Said(done.returncode, done.stdout.decode("utf-8", "backslashreplace").strip())
