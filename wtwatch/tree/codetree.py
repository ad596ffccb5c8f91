"""Look at the run tree's code: everything that a decision about it rests on, in one read."""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors import jj
from wtwatch.doors.porcelain import Changes, TreeEntry, parse_status, parse_tree
from wtwatch.doors.repo import GitAsking, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytewise, checkout
from wtwatch.tree import tip as bookmark
from wtwatch.tree.checkout import Change, index_is_at
from wtwatch.words.errors import CommandFailed
from wtwatch.words.model import Process, Sha

_STATUS = ("--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=no")
_PASSING = ("refs/bisect/", "refs/rewritten/", "refs/jj/")
_REFS = "--format=%(refname)%00%(objectname)%00%(subject)"


class Facts(NamedTuple):
    """All that the decision rests on, read in one look.

    ``parked`` is the commit at which the files stand; it differs from HEAD where a branch was moved from
    outside, and ``changes`` lead from it to the tip. ``edited`` are all edits, ``unlooked`` those of them
    that git was told not to look at, with the mark that does it. ``in_the_way`` are files that git does not
    track, where the tip or a restored file wants to be; ``nested`` those of them that are repositories of
    their own, ``odd`` what is no file at all, with the word for it; ``unwritable`` is a folder in which
    nothing can be replaced. ``cut_off``: a move is under way, or was cut off. ``stray``: HEAD
    holds commits made in the run tree on top of applied; ``alone``: no ref that stays reaches ``parked``.
    ``operation`` is one like "merge", in code, that waits for the user, ``operation_above`` one in the
    superdataset. ``subject`` is the tip's, which jj rewrites at any time if ``working_copy``; ``backups``
    are their ids.
    """

    present: bool = True
    branch: str | None = None
    head: Sha | None = None
    parked: Sha | None = None
    applied: Sha | None = None
    tip: Sha | None = None
    tip_missing: str | None = None
    working_copy: bool = False
    changes: tuple[Change, ...] = ()
    edited: tuple[str, ...] = ()
    unlooked: tuple[tuple[str, str], ...] = ()
    in_the_way: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    odd: tuple[tuple[str, str], ...] = ()
    unwritable: Path | None = None
    cut_off: bool = False
    stray: bool = False
    alone: bool = False
    operation: str | None = None
    operation_above: str | None = None
    locked: Path | None = None
    protected: tuple[str, ...] = ()
    conflicted: bool = False
    submodules: bool = False
    busy: tuple[Process, ...] = ()
    tip_tree: tuple[TreeEntry, ...] = ()
    subject: str | None = None
    backups: frozenset[str] = frozenset()


def is_present(tree: RunTree) -> bool:
    """Return whether the run tree and its code are there."""
    return (tree.code_path / ".git").exists() and (tree.path / ".git").exists()


def facts_of(tree: RunTree) -> Facts:
    """Read the facts, but for who is busy there; several git commands run side by side."""
    if not is_present(tree):
        return Facts(present=False)
    repo = Repo(tree.code_path)
    tip_asked = bookmark.ask(tree.project)  # first, as it takes longest
    names = (tree.project.bookmark_ref, tree.applied_ref, tree.backup_prefix)
    with (
        repo.ask("for-each-ref", _REFS, *names) as refs_asked,
        repo.ask("status", *_STATUS) as status_asked,
    ):
        refs = _refs(refs_asked.answer())
        tip, missing, working_copy = tip_asked()
        with _ask_tree(repo, tip) as listing:
            changes = parse_status(status_asked.answer())
            entries = _entries(listing)
    if entries is None:
        tip, missing = None, "jj has not exported it"
    applied = refs[tree.applied_ref][0] if tree.applied_ref in refs else None
    named, subject = refs.get(tree.project.bookmark_ref, (None, None))
    if tip != named:
        subject = repo.subject(tip) if tip else None
    parked, edited = _stand(repo, tree, changes, applied)
    gone_on = changes.branch is None and changes.head not in (applied, tip)
    return Facts(
        branch=changes.branch,
        head=changes.head,
        parked=parked,
        applied=applied,
        tip=tip,
        tip_missing=missing,
        working_copy=working_copy,
        cut_off=tree.journal().read() is not None,
        stray=bool(applied and changes.head and gone_on and repo.is_ancestor(applied, changes.head)),
        alone=parked is not None and parked not in (applied, tip) and _is_alone(repo, parked),
        operation=repo.operation(),
        operation_above=Repo(tree.path).operation(),
        locked=checkout.index_lock(repo),
        subject=subject,
        backups=_backups(tree, refs),
        **_of_the_tip(repo, tree, tip, entries or ()),
        **way_to(tree, tip, parked, edited)._asdict(),
    )


def facts_elsewhere(tree: RunTree) -> Facts:
    """Return what the main tree's repository knows of a run tree that is not there."""
    repo = Repo(tree.project.main_code)
    if not (repo.path / ".git").exists():
        return Facts(present=False)
    tip_asked = bookmark.ask(tree.project)
    names = (tree.project.bookmark_ref, tree.applied_ref, tree.backup_prefix)
    refs = _refs(repo.git("for-each-ref", _REFS, *names))
    tip, missing, working_copy = tip_asked()
    return Facts(
        present=False,
        applied=refs[tree.applied_ref][0] if tree.applied_ref in refs else None,
        tip=tip,
        tip_missing=missing,
        working_copy=working_copy,
        subject=repo.subject(tip) if tip else None,
        backups=_backups(tree, refs),
    )


def _refs(listing: str) -> dict[str, tuple[Sha, str]]:
    lines = (line.split("\0", 2) for line in listing.split("\n") if line)
    return {ref: (Sha(commit), subject) for ref, commit, subject in lines}


def _backups(tree: RunTree, refs: Iterable[str]) -> frozenset[str]:
    start = tree.backup_prefix
    return frozenset(ref.removeprefix(start) for ref in refs if ref.startswith(start))


def _ask_tree(repo: Repo, tip: Sha | None) -> AbstractContextManager[GitAsking | None]:
    return repo.ask("ls-tree", "-z", "--full-tree", tip) if tip else nullcontext()


def _entries(listing: GitAsking | None) -> tuple[TreeEntry, ...] | None:
    """Return what lies at the top of the tip; ``None`` if git does not have that commit."""
    try:
        return parse_tree(listing.answer()) if listing else ()
    except CommandFailed:
        return None


def _stand(
    repo: Repo, tree: RunTree, changes: Changes, applied: Sha | None
) -> tuple[Sha | None, tuple[str, ...]]:
    """Return the commit at which the files stand, and what was edited against that."""
    on_branch = changes.branch == tree.project.bookmark
    unborn = changes.head is None  # on a new branch without a commit, the files stay where they were
    if unborn or (on_branch and changes.head and not index_is_at(repo, changes.head)):
        parked = _parked_at(repo, changes.head, applied)
        return parked, tuple(sorted(_differing(repo, parked))) if parked else changes.edited
    return changes.head, (*changes.edited, *changes.unmerged)


def _of_the_tip(repo: Repo, tree: RunTree, tip: Sha | None, entries: tuple[TreeEntry, ...]) -> dict[str, Any]:
    """Return the facts about what the tip holds."""
    tops = {entry.path for entry in entries}
    return {
        "protected": tuple(path for path in tree.project.protected if _tracks(repo, tip, path, tops)),
        "conflicted": any(path.startswith(jj.CONFLICT_PREFIX) for path in tops),
        "submodules": ".gitmodules" in tops,
        "tip_tree": entries,
    }


class Way(NamedTuple):
    """What lies between the files of the run tree's code and a commit; see :class:`Facts`."""

    changes: tuple[Change, ...] = ()
    edited: tuple[str, ...] = ()
    unlooked: tuple[tuple[str, str], ...] = ()
    in_the_way: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    odd: tuple[tuple[str, str], ...] = ()
    unwritable: Path | None = None


def way_to(tree: RunTree, to: Sha | None, parked: Sha | None, edited: tuple[str, ...]) -> Way:
    """Look at the way from ``parked`` to a commit; ``edited`` are the edits that git sees."""
    if to is None or parked is None or (to == parked and not edited):
        return Way(edited=edited)
    repo = Repo(tree.code_path)
    changes = checkout.between(repo, parked, to)
    unseen = checkout.unseen_edits(repo, changes, frozenset(edited))
    ways = checkout.in_the_way(repo, changes, (*edited, *unseen), tree.project.protected)
    here = (path for path in dict.fromkeys((*ways, *edited)) if checkout.is_here(repo.path, path))
    kinds = ((path, bytewise.kind_of(repo.path / path)) for path in here)
    return Way(
        changes=changes,
        edited=(*edited, *unseen),
        unlooked=tuple(checkout.unlooked(repo, unseen).items()),
        in_the_way=tuple(ways),
        nested=tuple(path for path in ways if path.endswith("/")),
        odd=tuple((path, kind) for path, kind in kinds if kind),
        unwritable=_unwritable(repo.path, (*(change.path for change in changes), *edited)),
    )


def _unwritable(root: Path, paths: Iterable[str]) -> Path | None:
    """Return a folder that is there and in which files at ``paths`` cannot be replaced, if there is one."""
    folders = dict.fromkeys(root / os.path.dirname(path) for path in paths)  # noqa: PTH120 - quicker
    there = (folder for folder in folders if folder.is_dir())
    return next((folder for folder in there if not os.access(folder, os.W_OK | os.X_OK)), None)


def _is_alone(repo: Repo, commit: Sha) -> bool:
    """Return whether no ref keeps ``commit`` for good: those of an operation or of jj go sooner or later."""
    listing = repo.git("for-each-ref", "--contains", commit, "--format=%(refname)").split("\n")
    return all(ref.startswith(_PASSING) for ref in listing if ref)


def _tracks(repo: Repo, tip: Sha | None, path: str, tops: set[str]) -> bool:
    if tip is None:
        return False
    if "/" not in path.strip("/"):
        return path.strip("/") in tops
    return bool(repo.tree(tip, path.strip("/")))


def _parked_at(repo: Repo, head: Sha | None, applied: Sha | None) -> Sha | None:
    """Find the commit whose files lie in a tree that is on a branch which moved from outside, or is new.

    Moves from outside do not append to the worktree's own reflog, so its last entry is the commit that was
    checked out; the index confirms it.
    """
    written = _last_written(repo) or head
    candidates = [commit for commit in (written, applied) if commit]
    return next((commit for commit in candidates if index_is_at(repo, commit)), written)


def _last_written(repo: Repo) -> Sha | None:
    try:  # the newest line comes last: old id, new id, who, why (gitrepository-layout(5))
        lines = (repo.git_dir() / "logs" / "HEAD").read_bytes().splitlines()
        return Sha(lines[-1].split()[1].decode("ascii"))
    except (OSError, IndexError):
        return None


def _differing(repo: Repo, commit: Sha) -> set[str]:
    with (
        repo.ask(
            "ls-files", "--modified", "--deleted", "-z"
        ) as in_files,  # runs no filter where sizes differ
        repo.ask("diff-index", "--cached", "--name-only", "--no-renames", "-z", commit) as staged,
    ):
        return {path for path in f"{in_files.answer()}\0{staged.answer()}".split("\0") if path}
