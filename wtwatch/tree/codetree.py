"""Look at the run tree's code: everything that a decision about it rests on, in one read."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj
from wtwatch.doors.porcelain import TreeEntry, parse_status, parse_tree
from wtwatch.doors.processes import working_in
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import tip as bookmark
from wtwatch.tree.checkout import in_the_way, index_is_at, index_lock
from wtwatch.words.errors import CommandFailed
from wtwatch.words.model import Process, Sha

_REFS = "--format=%(refname)%00%(objectname)%00%(subject)"


class Facts(NamedTuple):
    """All that the decision rests on, read in one look.

    ``parked`` is the commit at which the files stand; it differs from HEAD where a branch was moved from
    outside. ``in_the_way`` are files that git does not track, where the tip or a restored file wants to be;
    ``nested`` those of them that are repositories of their own. ``stray``: HEAD holds commits made in the
    run tree on top of applied; ``alone``: no ref at all reaches ``parked``. ``operation`` is one like
    "merge", in code, that waits for the user, ``operation_above`` one in the superdataset. ``subject`` is
    the tip's, which jj rewrites at any time if ``working_copy``; ``backups`` are their ids.
    """

    present: bool = True
    branch: str | None = None
    head: Sha | None = None
    parked: Sha | None = None
    applied: Sha | None = None
    tip: Sha | None = None
    tip_missing: str | None = None
    working_copy: bool = False
    edited: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
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


def facts_of(tree: RunTree, busy: bool = False, ignore: Iterable[int] = ()) -> Facts:
    """Read the facts; several git commands run side by side. ``busy`` also asks who works in the tree."""
    code = Repo(tree.code_path)
    if not is_present(tree):
        return Facts(present=False)
    asking = bookmark.ask(tree.project)  # first, as it takes longest
    refs = code.ask("for-each-ref", _REFS, tree.project.bookmark_ref, tree.applied_ref, tree.backup_prefix)
    status = code.ask("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=no")
    lines = (line.split("\0", 2) for line in refs.answer().splitlines())
    known = {ref: (Sha(commit), subject) for ref, commit, subject in lines}
    applied = known[tree.applied_ref][0] if tree.applied_ref in known else None
    named, subject = known.get(tree.project.bookmark_ref, (None, None))
    tip, missing, working_copy = asking()
    if tip != named:
        subject = code.subject(tip) if tip else None
    listing = code.ask("ls-tree", "-z", "--full-tree", tip) if tip else None
    changes = parse_status(status.answer())
    parked = changes.head
    edited = (*changes.edited, *changes.unmerged)
    if changes.branch == tree.project.bookmark and changes.head and not index_is_at(code, changes.head):
        parked = _parked_at(code, changes.head, applied)
        edited = tuple(sorted(_differing(code, parked)))
    try:
        entries = parse_tree(listing.answer()) if listing else ()
    except CommandFailed:
        tip, missing, entries = None, "jj has not exported it", ()
    kept = tree.backup_prefix
    tops = {entry.path for entry in entries}
    ways: list[str] = []
    if tip and parked and (tip != parked or edited):
        ways = in_the_way(code, parked, tip, edited, tree.project.protected)
    gone_on = changes.branch is None and changes.head not in (applied, tip)
    return Facts(
        branch=changes.branch,
        head=changes.head,
        parked=parked,
        applied=applied,
        tip=tip,
        tip_missing=missing,
        working_copy=working_copy,
        edited=edited,
        in_the_way=tuple(ways),
        nested=tuple(path for path in ways if path.endswith("/")),
        stray=bool(applied and changes.head and gone_on and code.is_ancestor(applied, changes.head)),
        alone=parked is not None and parked not in (applied, tip) and _is_alone(code, parked),
        operation=code.operation(),
        operation_above=Repo(tree.path).operation(),
        locked=index_lock(code),
        protected=tuple(path for path in tree.project.protected if _tracks(code, tip, path, tops)),
        conflicted=any(path.startswith(jj.CONFLICT_PREFIX) for path in tops),
        submodules=".gitmodules" in tops,
        busy=tuple(working_in(tree.path, tree.project.passive, tuple(ignore))) if busy else (),
        tip_tree=entries,
        subject=subject,
        backups=frozenset(ref.removeprefix(kept) for ref in known if ref.startswith(kept)),
    )


def _is_alone(code: Repo, commit: Sha) -> bool:
    return not code.git("for-each-ref", "--count=1", "--contains", commit)


def _tracks(code: Repo, tip: Sha | None, path: str, tops: set[str]) -> bool:
    if tip is None:
        return False
    if "/" not in path.strip("/"):
        return path.strip("/") in tops
    return bool(code.tree(tip, path.strip("/")))


def _parked_at(code: Repo, head: Sha, applied: Sha | None) -> Sha:
    """Find the commit whose files lie in a tree that is on a branch which moved from outside.

    Moves from outside do not append to the worktree's own reflog, so its last entry is the commit that was
    checked out; the index confirms it.
    """
    written = _last_written(code) or head
    candidates = [commit for commit in (written, applied) if commit]
    return next((commit for commit in candidates if index_is_at(code, commit)), written)


def _last_written(code: Repo) -> Sha | None:
    try:  # the newest line comes last: old id, new id, who, why (gitrepository-layout(5))
        lines = (code.git_dir() / "logs" / "HEAD").read_bytes().splitlines()
        return Sha(lines[-1].split()[1].decode("ascii"))
    except (OSError, IndexError):
        return None


def _differing(code: Repo, commit: Sha) -> set[str]:
    in_files = code.ask("diff", "--no-ext-diff", "--name-only", "--no-renames", "-z", commit)
    staged = code.ask("diff-index", "--cached", "--name-only", "--no-renames", "-z", commit)
    return {path for path in f"{in_files.answer()}\0{staged.answer()}".split("\0") if path}
