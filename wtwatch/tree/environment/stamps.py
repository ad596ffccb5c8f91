"""Sizes and times of what is installed, a line a file: by them a change that nobody told of is seen.

uv links one file into many environments: an edit in another tree's changes this one's as well.
"""

import os
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment.installed import sites


def note(tree: RunTree) -> None:
    """Write down how what is installed stands now."""
    text = "\n".join(sorted(_lines(tree.prefix)))
    file = _file(tree)
    if _read(file) != text:
        write_whole(file, text)


def altered(tree: RunTree) -> list[str]:
    """Return the files that are not as they were noted, or are gone, by path from the environment's folder.

    What is new is not among them. Nothing if nothing was noted.
    """
    noted = _read(_file(tree))
    if not noted:
        return []
    found = set(_lines(tree.prefix))
    return sorted(line.split(" ", 2)[2] for line in noted.split("\n") if line not in found)


def _file(tree: RunTree) -> Path:
    return tree.state / "environment.files"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _lines(prefix: Path) -> list[str]:
    """Return a line for each installed file; what Python compiled is left out."""
    found, skip = list[str](), len(str(prefix)) + 1
    ahead = [str(folder) for folder in (prefix / "bin", *sites(prefix))]
    while ahead:
        try:
            entries = list(os.scandir(ahead.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    ahead.append(entry.path)
            elif "\n" not in entry.name:
                about = entry.stat(follow_symlinks=False)
                found.append(f"{about.st_size} {about.st_mtime_ns} {entry.path[skip:]}")
    return found
