"""The way back of a backup: its files written into a folder of their own, where they do no harm."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytewise, contents, parts
from wtwatch.tree.parts import STAGED
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Backup, Sha


def check_place(to: Path, run_trees: Iterable[Path]) -> None:
    """Raise :class:`UsageError` for a folder in which files of a backup would do harm.

    In a run tree they would keep it from moving, in a git directory they would pass for git's own.
    """
    place = to.resolve()
    for tree in run_trees:
        if place.is_relative_to(tree.resolve()):
            raise UsageError(
                f"{to} lies in the run tree {tree}, which would not move with new files in it.",
                "Name a folder elsewhere: --to DIR.",
            )
    for folder in (place, *place.parents):
        if folder.name == ".git" or _is_git_directory(folder):
            raise UsageError(
                f"{to} lies in the git directory {folder}.", "Name a folder elsewhere: --to DIR."
            )


def _is_git_directory(folder: Path) -> bool:
    """Return whether a folder is a repository, or the one of a work tree (gitrepository-layout(5))."""
    if not (folder / "HEAD").is_file():
        return False
    return (folder / "commondir").is_file() or ((folder / "objects").is_dir() and (folder / "refs").is_dir())


def restore(tree: RunTree, backup: Backup, to: Path) -> list[Path]:
    """Write the files of a backup below ``to``, a folder that is new or empty; return their paths.

    Its parts go into folders of their names below ``to``: what was staged and differs from the file, the
    stages of files in conflict, and what an operation kept for itself. The run tree is never written into:
    it would be dirty again. Deleted files are not among them.
    """
    if os.path.lexists(to) and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists and is not an empty folder.", "Name another with --to DIR.")
    repo = Repo(tree.project.main_code)
    files = contents.changed(repo, Sha(f"{backup.commit}^1"), backup.commit)
    taken = {entry.path.split("/", 1)[0] for entry in files}
    wanted = [(entry, to / entry.path) for entry in files]
    for name, piece in parts.parts_of(repo, backup.commit).items():
        place = to / _free(name, taken)
        entries = contents.whole(repo, piece)
        if name == STAGED:
            staged = contents.changed(repo, Sha(f"{piece}^1"), piece)
            unlike = {entry.path for entry in contents.changed(repo, backup.commit, piece)}
            entries = [entry for entry in staged if entry.path in unlike]
        wanted += [(entry, place / entry.path) for entry in entries]
    wanted = [(entry, file) for entry, file in wanted if entry.mode not in (bytewise.NOTHING, GITLINK)]
    to.mkdir(parents=True, exist_ok=True, mode=0o700)  # as among them may be what only the user could read
    for entry, file in wanted:
        bytewise.write(repo, entry, file)
        _fill_from_annex(repo, file)
    return [file for _, file in wanted]


def _free(name: str, taken: set[str]) -> str:
    """Return ``name``, with a number behind it where a file of the backup is called so."""
    names = (f"{name} {number}" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _fill_from_annex(repo: Repo, file: Path) -> None:
    """Put content from the annex in the place of a pointer to it; without it here the pointer stays."""
    if file.is_symlink() or file.stat().st_size > bytewise.POINTER_SIZE:
        return
    key = bytewise.annex_key(file.read_bytes())
    if key and (repo.common_dir() / "annex").is_dir():
        found = repo.git("annex", "contentlocation", key, ok=(0, 1))
        if found:
            from shutil import copyfile

            copyfile(repo.path / found, file)
