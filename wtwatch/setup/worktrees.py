"""Make the worktrees that a run tree lacks, all of them or none; lock them, and unlock them again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.setup.dotgit import is_annexed, shares_annex
from wtwatch.setup.layout import Layout, Wanted, check_vacant
from wtwatch.words.errors import CommandFailed, WtwatchError


@contextmanager
def made(layout: Layout, reason: str) -> Iterator[None]:
    """Make what is missing, locked with ``reason``; if that or the body fails, take all of it back."""
    above = [folder for wanted in layout.missing[:1] for folder in wanted.path.parents if not folder.exists()]
    begun: list[tuple[Wanted, bool]] = []
    try:
        for wanted in layout.missing:
            _clear_half_made(wanted)
            begun.append((wanted, wanted.path.is_dir()))
            _add(wanted, reason)
        yield
    except BaseException:
        for wanted, was_folder in reversed(begun):
            _take_back(wanted)
            if was_folder:
                wanted.path.mkdir(parents=True, exist_ok=True)
        for folder in above:
            with suppress(OSError):
                folder.rmdir()
        raise


def _clear_half_made(wanted: Wanted) -> None:
    """Remove what is left of a worktree that was cut off in the making, or whose folder was deleted."""
    check_vacant(wanted.path)
    if wanted.path in Repo(wanted.main).worktrees():
        _remove(wanted)


def _add(wanted: Wanted, reason: str) -> None:
    repo = Repo(wanted.main)
    where = ["--detach"] if wanted.branch is None else ["-b", wanted.branch] if wanted.new_branch else []
    what = wanted.branch if wanted.branch and not wanted.new_branch else wanted.commit
    repo.git("worktree", "add", "-q", "--lock", "--reason", reason, *where, "--", str(wanted.path), what)
    new = Repo(wanted.path)
    if new.git("config", "--type=bool", "core.sparseCheckout", ok=(0, 1)) == "true":
        new.git("sparse-checkout", "disable")  # git-worktree(1) copies it; results would lose all other files
    if is_annexed(wanted.main):
        new.git("annex", "smudge", "--update", hooks=True)
        if not shares_annex(wanted.main, wanted.path):
            raise WtwatchError(
                f"The new worktree {wanted.path} does not share the annex of {wanted.main}.",
                "See `git annex info` in both; is git-annex older than 10?",
            )


def _take_back(wanted: Wanted) -> None:
    _remove(wanted)
    if wanted.branch and wanted.new_branch:
        with suppress(CommandFailed):
            Repo(wanted.main).git("update-ref", "-d", f"refs/heads/{wanted.branch}", wanted.commit)


def _remove(wanted: Wanted) -> None:
    """Remove a worktree that we made; git's own `remove` fails where git-annex made a symlink of `.git`."""
    if os.path.lexists(wanted.path / ".git"):
        shutil.rmtree(wanted.path, ignore_errors=True)
    with suppress(OSError):
        wanted.path.rmdir()  # git was refused before it made anything: files would be somebody else's
    with suppress(CommandFailed):  # it was not registered yet
        Repo(wanted.main).git("worktree", "remove", "--force", "--force", "--", str(wanted.path))


def lock(trees: Sequence[Path], reason: str) -> None:
    """Lock worktrees, so that a prune while their disk is unmounted cannot lose them (git-worktree(1))."""
    for tree in trees:
        repo = Repo(tree)
        if not (repo.git_dir() / "locked").exists():
            repo.git("worktree", "lock", "--reason", reason, "--", str(tree))


def unlock(trees: Sequence[Path], reason: str) -> None:
    """Take away the locks whose reason starts with ``reason``; those of others stay."""
    for tree in trees:
        mark = Repo(tree).git_dir() / "locked"
        with suppress(OSError, CommandFailed):
            if mark.read_text(encoding="utf-8").startswith(reason):
                Repo(tree).git("worktree", "unlock", "--", str(tree))
