"""How a move of code ends: with all its files whole, or, where it was cut off, finished or undone."""

import os
from collections.abc import Mapping
from pathlib import Path

from wtwatch.doors.journal import Journal
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, bytecode, checkout, diff, save
from wtwatch.tree.busy import gits_in
from wtwatch.tree.diff import Change
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Sha


def complete(
    tree: RunTree, repo: Repo, at: Sha, changes: tuple[Change, ...], then: Journal | None = None
) -> None:
    """End a move whose checkout is over: all its files are whole, and only then the commit is *applied*.

    ``then`` is the journal that goes on from there; without one, the move may have been cut off.
    """
    known, written = checkout.tags(repo), checkout.written(changes)
    checkout.make_whole(repo, written, known)
    bytecode.drop(repo, changes, known)
    fill_in(repo, written if then is None else None)
    repo.update_refs({tree.applied_ref: at, save.keep_ref(at): at}, why="sync")
    if then is None:
        tree.journal().close()
    else:
        tree.journal().hand_over(then)


def fill_in(repo: Repo, cut_off: Mapping[str, Sha] | None = None) -> None:
    """Have git-annex put content into unlocked files, which hold pointers after a checkout.

    ``cut_off`` are the files of one that was cut off, with their blobs: git-annex may have been killed before
    it noted what it had filled in.
    """
    if (repo.common_dir() / "annex").is_dir():
        quiet = ("-c", "annex.alwayscommit=false")  # no commit of its own, which needs an identity
        repo.git(*quiet, "annex", "smudge", "--update", hooks=True)
        repo.git(*quiet, "annex", "restage", hooks=True)  # else git takes some of them for edited
        if cut_off:
            checkout.restage(repo, cut_off)


def recover(tree: RunTree) -> None:
    """Finish or undo a move that was cut off, with the tree lock held by the caller.

    HEAD says which: git moves it last. Raises :class:`Busy` while the git of the move is still at work, and
    :class:`checkout.NotWhole` while files cannot be written.
    """
    _sweep(tree)
    if tree.journal().read() is None or not (tree.code_path / ".git").exists():
        return
    try:
        end_cut_off(tree)
    except OSError as error:
        raise WtwatchError(
            f"A move of the run tree's code was cut off, and cannot be ended: {error}.",
            "Mend what is named, or make room on the disk; then it goes on by itself.",
        ) from error


def _sweep(tree: RunTree) -> None:
    """Remove what backups that were killed have left of their scratch folders: all is in git, or was not."""
    for left in tree.state.glob(f"{backups.SCRATCH}*/"):
        from shutil import rmtree

        rmtree(left, ignore_errors=True)


def end_cut_off(tree: RunTree) -> Sha | None:
    """Finish or undo the move of the journal; return where the tree stands, ``None`` without a journal."""
    cut_off = tree.journal().read()
    if cut_off is None:
        return None
    _wait_for_git(tree)
    repo = Repo(tree.code_path)
    old, new = Sha(cut_off["from"]), Sha(cut_off["to"])
    if cut_off.get("phase") == "backup":  # no file of the tip was written yet
        (repo.git_dir() / "index.lock").unlink(missing_ok=True)
        at = old
    else:
        at = checkout.settle(repo, old, new) or old
    if at == new and cut_off.get("phase") != "backup":
        complete(tree, repo, new, diff.between(repo, old, new))
        return new
    if "aside" in cut_off:
        _put_back(Path(cut_off["aside"]), repo.path)
    tree.journal().close()
    return at


def _wait_for_git(tree: RunTree) -> None:
    """Raise :class:`Busy` while a git works in code: it may be the move's own, or the owner of a lock."""
    alive = gits_in(tree.code_path)
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is still at work in {tree.code_path} on a move that was cut off.",
            "It goes on by itself when that git has ended.",
        )


def _put_back(aside: Path, code: Path) -> None:
    """Move what was set aside back to its place, where that is still free."""
    for folder, _, _ in os.walk(aside):
        for inside in Path(folder).iterdir():
            place = code / inside.relative_to(aside)
            if not os.path.lexists(place):
                inside.rename(place)
