"""Make the worktrees that a run tree lacks, all of them or none; lock them, and unlock them again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.doors.links import tie
from wtwatch.doors.repo import Repo, break_lock
from wtwatch.setup import times
from wtwatch.setup.dotgit import is_annexed, is_linked, shares_annex
from wtwatch.setup.layout import Layout, Wanted, check_vacant
from wtwatch.tree.busy import gits_in
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.model import Sha

_MAKING = "wtwatch is making this worktree"
"""What git says of a worktree that is locked, but not finished: whoever made it was cut off."""


@contextmanager
def made(
    layout: Layout,
    reason: str,
    stop: Callable[[], bool] = lambda: False,
    alone: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[None]:
    """Make what is missing, locked with ``reason``; if that or the body fails, take all of it back.

    ``stop`` is asked before each. ``alone`` is held while unlocked annexed files are written: git-annex notes
    which it has to fill in where all worktrees of a repository have it, and forgets those of another one.
    """
    above = [folder for wanted in layout.missing[:1] for folder in wanted.path.parents if not folder.exists()]
    begun: list[tuple[Wanted, bool]] = []
    try:
        for wanted in layout.missing:
            if stop():
                raise WtwatchError(f"The making of {wanted.path} was stopped.")
            _clear_half_made(wanted)
            begun.append((wanted, wanted.path.is_dir()))
            with alone() if _has_unlocked(wanted.main, wanted.commit) else nullcontext():
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


def relink(repositories: Iterable[Path], within: Path) -> None:
    """Give worktrees ``within`` a folder that were cut off in the making their ``.git`` back.

    Git-annex takes that file away before it makes a symlink in its place, and may be killed in between.
    """
    for repository in repositories:
        for mark in (Repo(repository).common_dir() / "worktrees").glob("*/locked"):
            with suppress(OSError):  # it is not finished at all
                link = Path(os.fsdecode((mark.parent / "gitdir").read_bytes()).rstrip("\n"))
                ours = link.parent.is_dir() and link.parent.resolve().is_relative_to(within.resolve())
                if _is_being_made(mark) and ours and not os.path.lexists(link):
                    tie(link, mark.parent)


def _is_being_made(mark: Path) -> bool:
    return mark.read_text(encoding="utf-8", errors="replace").strip() == _MAKING


def _clear_half_made(wanted: Wanted) -> None:
    """Remove what is left of a worktree that was cut off in the making, or whose folder was deleted."""
    if os.path.lexists(wanted.path / ".git"):
        _check_left_alone(wanted.path)
    check_vacant(wanted.path)
    if wanted.path in Repo(wanted.main).worktrees():
        _remove(wanted)


def _check_left_alone(path: Path) -> None:
    """Refuse a worktree in which a git works: it may outlive an `init` that was killed."""
    at_work = tuple(gits_in(path))
    if at_work:
        pids = ", ".join(str(process.pid) for process in at_work)
        raise Busy(
            f"{path} is not finished, and a git works in it (pid {pids}).",
            "Run `wtwatch init` again when that is done.",
            at_work,
        )


def _add(wanted: Wanted, reason: str) -> None:
    repo = Repo(wanted.main)
    where = ["--detach"] if wanted.branch is None else ["-b", wanted.branch] if wanted.new_branch else []
    what = wanted.branch if wanted.branch and not wanted.new_branch else wanted.commit
    if wanted.branch:
        repo.break_lock(f"refs/heads/{wanted.branch}")
    repo.git("worktree", "add", "-q", "--lock", "--reason", _MAKING, *where, "--", str(wanted.path), what)
    _finish(wanted.path, wanted.main)
    if not shares_annex(wanted.main, wanted.path):
        raise WtwatchError(
            f"The new worktree {wanted.path} does not share the annex of {wanted.main}.",
            "See `git annex info` in both; is git-annex older than 10?",
        )
    write_whole(Repo(wanted.path).git_dir() / "locked", f"{reason}\n")


def _finish(path: Path, main: Path) -> None:
    """Do what git leaves to be done in a new worktree of the repository ``main``; safe to do again."""
    new = Repo(path)
    if new.git("config", "--type=bool", "core.sparseCheckout", ok=(0, 1)) == "true":
        new.git("sparse-checkout", "disable")  # git-worktree(1) copies it; results would lose all other files
    if is_annexed(path):
        if _has_unlocked(path, "HEAD"):
            new.git("annex", "smudge", "--update", hooks=True)
        else:  # each of its commands makes a link of the `.git` that git made
            new.git("annex", "lookupkey", "--", ".gitattributes", ok=(0, 1), hooks=True)
    times.take_over(main, path)


def _has_unlocked(repository: Path, commit: str) -> bool:
    """Return whether a commit has unlocked annexed files: what git has of one is where its content lies."""
    pointer = ("grep", "-q", "-I", "-e", "^/annex/objects/", commit)
    return is_annexed(repository) and Repo(repository).succeeds(*pointer)


def _take_up(path: Path) -> None:
    """Finish a worktree whose files are all there, in which whoever made it was cut off.

    Nothing but that was ever done in it, so locks in it are of a git that was killed; one that lasts for a
    second, that is.
    """
    _check_left_alone(path)
    repo = Repo(path)
    own = repo.git_dir()
    for lock in (own / "index", own / "HEAD"):
        break_lock(lock)
    if branch := repo.branch():
        repo.break_lock(f"refs/heads/{branch}")
    _finish(path, next(iter(repo.worktrees())))


def _take_back(wanted: Wanted) -> None:
    _remove(wanted)
    if wanted.branch and wanted.new_branch:
        with suppress(CommandFailed):
            Repo(wanted.main).git("update-ref", "-d", f"refs/heads/{wanted.branch}", wanted.commit)


def _remove(wanted: Wanted) -> None:
    """Remove a worktree that we made; git's own `remove` fails where git-annex made a symlink of `.git`."""
    link = wanted.path / ".git"
    if os.path.lexists(link):
        with suppress(OSError, CommandFailed):  # if this is cut off, the rest is one that was half made
            (Repo(wanted.path).git_dir() / "index").unlink(missing_ok=True)
        for inside in wanted.path.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            elif inside != link:
                inside.unlink(missing_ok=True)
        link.unlink(missing_ok=True)
    with suppress(OSError):
        wanted.path.rmdir()  # git was refused before it made anything: files would be somebody else's
    with suppress(CommandFailed):  # it was not registered yet
        Repo(wanted.main).git("worktree", "remove", "--force", "--force", "--", str(wanted.path))


def remove(trees: Iterable[Path]) -> None:
    """Remove worktrees that we made, inner ones first, with whatever is in them."""
    for tree in trees:
        main = next(iter(Repo(tree).worktrees()))
        _remove(Wanted(main, tree, Sha(""), None, False))


def lock(trees: Sequence[Path], reason: str) -> None:
    """Lock worktrees, so that a prune while their disk is unmounted cannot lose them (git-worktree(1)).

    One that a killed `init` did not finish is finished first. A repository that was made in the run tree, and
    is not home yet, is no worktree.
    """
    for tree in filter(is_linked, trees):
        repo = Repo(tree)
        mark = repo.git_dir() / "locked"
        if not mark.exists():
            repo.git("worktree", "lock", "--reason", reason, "--", str(tree))
        elif _is_being_made(mark):
            _take_up(tree)
            write_whole(mark, f"{reason}\n")


def unlock(trees: Sequence[Path], reason: str) -> None:
    """Take away the locks whose reason starts with ``reason``; those of others stay."""
    for tree in trees:
        mark = Repo(tree).git_dir() / "locked"
        with suppress(OSError, CommandFailed):
            if mark.read_text(encoding="utf-8").startswith((reason, _MAKING)):
                Repo(tree).git("worktree", "unlock", "--", str(tree))
