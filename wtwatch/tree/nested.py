"""Repositories that were made in a run tree, by a job mostly, and are in no main tree yet.

Their git directory lies in the run tree itself, and would be lost with it. So it is taken in: it changes
places with the link of a worktree, as all other subdatasets of a run tree are, and lies in the project's
state from then on (:data:`KEPT`), until a merge brings it home. The run tree's files are not touched by that.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.exchange import end_cut_off, exchange
from wtwatch.doors.files import sync_disk, sync_folder, write_whole
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree.busy import working_in
from wtwatch.tree.changes import subdatasets
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.quoting import quoted

KEPT = "nested"
"""The folder of a project's state for git directories that are not home yet, each at its path, as `.git`."""

LOCKED_FOR = "run tree of the wtwatch project"
"""What git says of the worktrees that are locked for a project, before its name."""

_NAMED = re.compile(r"^\s*path\s*=\s*(\S.*?)\s*$", re.MULTILINE)


def is_own(place: Path) -> bool:
    """Return whether the git directory of the repository at ``place`` lies in it, and nowhere else."""
    link = place / ".git"
    return link.is_dir() and not link.is_symlink()


def own(tree: RunTree) -> list[str]:
    """Return the subdatasets of a run tree that are repositories of their own, outside in; code is none."""
    found = (sub.path for sub in subdatasets(tree.path) if sub.installed)
    return [path for path in found if path != tree.project.code and is_own(tree.path / path)]


def kept(project: Project) -> dict[str, Path]:
    """Return the git directories that were taken in and are not home, by the path of their subdataset."""
    top = project.state / KEPT
    if not top.is_dir():
        return {}
    found = {}
    for folder, below, _ in os.walk(top):
        place = Path(folder)
        if is_own(place):
            found[place.relative_to(top).as_posix()] = place / ".git"
        below[:] = [name for name in below if name != ".git"]
    return dict(sorted(found.items()))


def away(project: Project) -> list[str]:
    """Return the subdatasets whose repository is at hand, but not in the main tree; without any program.

    Those that were taken in, and of the subdatasets that the run tree's ``.gitmodules`` names (here a hint
    where to look, no more) those that are repositories of their own.
    """
    named = (path for path in _named(project) if is_own(project.run_tree / path))
    return sorted({*kept(project), *named})


def lacks_some(project: Project) -> bool:
    """Return whether the run tree lacks subdatasets that its ``.gitmodules`` names, and the main tree has."""
    return any(
        not os.path.lexists(project.run_tree / path / ".git") and (project.main_tree / path / ".git").exists()
        for path in _named(project)
    )


def has_all(project: Project) -> bool:
    """Return whether the run tree has all subdatasets of its HEADs that the main tree has."""
    lacking = (sub.path for sub in subdatasets(project.run_tree) if not sub.installed)
    return not any((project.main_tree / path / ".git").exists() for path in lacking)


def _named(project: Project) -> list[str]:
    with suppress(OSError, UnicodeDecodeError):
        text = (project.run_tree / ".gitmodules").read_text(encoding="utf-8")
        return [path for path in _NAMED.findall(text) if path != project.code]
    return []


def take_in(tree: RunTree, paths: Sequence[str] | None = None) -> None:
    """Take in the repositories that were made in a run tree, with its lock held by the caller.

    ``paths`` are subdatasets to look at (default: all). Safe to be cut off at any instant, and to be done
    again. One that cannot be taken in stays as it is: see :func:`obstacle`. Raises :class:`Busy` while
    somebody else works in the tree, and :class:`OSError`.
    """
    if paths is None:
        paths = [sub.path for sub in subdatasets(tree.path)]
    for path in paths:
        _end_cut_off(tree, path)
    made = [path for path in paths if path != tree.project.code and is_own(tree.path / path)]
    if not made:
        return
    others = working_in(tree)
    if others:
        raise Busy(
            f"{others[0].name} (pid {others[0].pid}) works in the run tree, so {made[0]}, which was made "
            "there, is not taken in.",
            "It goes on by itself when that ends.",
            tuple(others),
        )
    for path in made:
        if obstacle(tree.path / path) is None:
            _take_in(tree, path)


def _end_cut_off(tree: RunTree, path: str) -> None:
    """End a change of places of several steps that a crash cut off, which left no ``.git``."""
    link = tree.path / path / ".git"
    if not os.path.lexists(link):
        for other in (tree.project.state / KEPT / path / ".git", _link_place(tree, path)):
            end_cut_off(link, other)


def obstacle(place: Path) -> WtwatchError | None:
    """Return what keeps a repository of its own from being taken in; ``None``: nothing."""
    repo, folder = Repo(place), place / ".git"
    if word := repo.operation():
        undo = "bisect reset" if word == "bisect" else f"{word} --abort"
        return WtwatchError(
            f"A {word} in {place} is not finished.", f"git -C {quoted(place)} {undo}, or finish it."
        )
    if (folder / "index.lock").exists():
        return Busy(f"Another git command works in {place}.", "Wait for it to end.")
    if (folder / "modules").is_dir() and any((folder / "modules").iterdir()):
        return WtwatchError(
            f"{place} has submodules whose git directories are absorbed into its own.",
            f"Bring them back in place: see {quoted(folder / 'modules')}.",
        )
    if repo.resolve("HEAD") is None:
        return WtwatchError(f"{place} has no commit.", f"datalad save -d {quoted(place)}")
    return None


def _take_in(tree: RunTree, path: str) -> None:
    """Take in one repository: what its worktree needs is made first, then both change places."""
    place, home = tree.path / path, tree.project.state / KEPT / path / ".git"
    folder = place / ".git"
    admin = home / _prepared(tree, place).relative_to(folder)
    _make_room(tree, path)
    near = folder.stat().st_dev == home.parent.stat().st_dev
    link = home if near else _link_place(tree, path)
    if not near:
        _copy(folder, home)
        link.parent.mkdir(parents=True, exist_ok=True)
        _remove(link)
    _point(link, place, admin, annexed=(folder / "annex").is_dir())
    sync_disk(folder)
    exchange(folder, link)
    sync_folder(place)
    sync_folder(link.parent)
    if not near:
        _remove(link)
    (home / "index").unlink(missing_ok=True)  # of the files that stayed in the run tree


def _make_room(tree: RunTree, path: str) -> None:
    """Make the folder that a git directory is kept in; an earlier one that is kept there is moved away."""
    home = tree.project.state / KEPT / path
    home.mkdir(parents=True, exist_ok=True)
    if is_own(home):
        place, number = tree.project.state / f"{KEPT}-before" / path, 1
        place.mkdir(parents=True, exist_ok=True)
        while os.path.lexists(place / f"{number}.git"):
            number += 1
        (home / ".git").rename(place / f"{number}.git")
    (home / ".git").unlink(missing_ok=True)  # the link of one that went home


def _link_place(tree: RunTree, path: str) -> Path:
    """Return where a link waits, on the run tree's file system, to change places with a git directory."""
    return tree.shelf / KEPT / path.replace("/", "%")


def _prepared(tree: RunTree, place: Path) -> Path:
    """Make what git keeps of a linked worktree (gitrepository-layout(5)) in the repository at ``place``.

    The worktree is on the run tree's branch, as those of all subdatasets, or detached where that is taken.
    """
    repo, folder = Repo(place), place / ".git"
    head = repo.resolve("HEAD")
    assert head is not None, "looked at in obstacle()"
    branch = tree.branch if repo.branch() != tree.branch else None
    if branch:
        try:
            there = repo.resolve(f"refs/heads/{branch}")
            if there is None:
                repo.git("branch", "--no-track", "--", branch, head)
            branch = branch if there in (None, head) else None
        except CommandFailed:  # such as a branch runs/x, beside which there can be none
            branch = None
    admin = folder / "worktrees" / place.name
    if admin.exists() and not _is_ours(admin, folder):
        admin = admin.with_name(f"{admin.name}-{tree.project.name}")
    shutil.rmtree(admin, ignore_errors=True)
    (admin / "logs").mkdir(parents=True)
    write_whole(admin / "HEAD", f"ref: refs/heads/{branch}\n" if branch else f"{head}\n")
    write_whole(admin / "commondir", "../..\n")
    write_whole(admin / "gitdir", f"{folder}\n")
    write_whole(admin / "locked", f"{LOCKED_FOR} {tree.project.name}\n")
    for name in ("index", "logs/HEAD"):
        with suppress(FileNotFoundError):
            shutil.copy2(folder / name, admin / name)  # with its time: see racy-git of git
    if (folder / "annex").is_dir():
        (admin / "annex").symlink_to("../../annex")  # as git-annex does it at its first command
    return admin


def _is_ours(admin: Path, folder: Path) -> bool:
    with suppress(OSError):
        return os.fsdecode((admin / "gitdir").read_bytes()).rstrip("\n") == str(folder)
    return True


def _point(link: Path, place: Path, admin: Path, annexed: bool) -> None:
    """Make the ``.git`` of a worktree, to be moved to ``place``: for git-annex a symlink, else git's file."""
    if annexed:
        link.symlink_to(os.path.relpath(_real(admin), _real(place)))
    else:
        write_whole(link, f"gitdir: {admin}\n")


def _real(path: Path) -> Path:
    """Return a path, whose end need not be there, without the symlinks in its parents."""
    return path.parent.resolve() / path.name


def _copy(folder: Path, home: Path) -> None:
    """Copy a git directory to another file system; one that is there is of an attempt that was cut off."""
    draft = home.with_name(f"{home.name}.draft")
    for old in (draft, home):
        _remove(old)
    shutil.copytree(folder, draft, symlinks=True)
    sync_disk(draft)
    draft.rename(home)


def _remove(path: Path) -> None:
    """Remove what lies at ``path``, a git directory with git-annex's read-only folders too."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    for folder, _, _ in os.walk(path):
        Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
