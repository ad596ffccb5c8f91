"""Look at the run tree's code: everything that a decision about it rests on, in one read."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors import jj, refs
from wtwatch.doors.porcelain import Changes, TreeEntry, parse_status
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytewise, checkout, diff, hidden, named, obstacles, pathcode, untouched
from wtwatch.tree import tip as bookmark
from wtwatch.tree.checkout import index_is_at
from wtwatch.tree.diff import Change
from wtwatch.words.model import Process, Sha

_STATUS = ("--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=no")
_PASSING = ("refs/bisect/", "refs/rewritten/", "refs/jj/")


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
    are their ids. ``written`` are paths of code that the run branch has otherwise than what is applied, where
    code is paths of the superdataset; ``merged``: it has them from the tip, and from nowhere else.
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
    written: tuple[str, ...] = ()
    merged: bool = False


def is_present(tree: RunTree) -> bool:
    """Return whether the run tree and its code are there."""
    return (tree.code_path / ".git").exists() and (tree.path / ".git").exists()


def tops(tree: RunTree, commit: Sha | None) -> tuple[TreeEntry, ...]:
    """Return what a commit has in the folder whose files say what the environment has to hold."""
    if commit is None:
        return ()
    if tree.project.paths:
        return pathcode.tops(tree, commit)
    return tuple(Repo(tree.project.main_code).tree(commit).values())


def at_rest(tree: RunTree) -> Facts | None:
    """Return the facts of code that stands at the tip, read off files; ``None`` where it does not.

    No program is started, but jj if it did anything. Nobody looked for edits: at the tip they hinder nothing.
    """
    if not is_present(tree):
        return None
    if tree.project.paths:
        facts = pathcode.at_rest(tree)
        return Facts(**facts) if facts else None
    repo, in_git = Repo(tree.code_path), bookmark.in_git(tree.project)
    head, applied = repo.detached_at(), _applied(tree)
    if not (in_git and in_git == head == applied) or tree.journal().read() is not None:
        return None
    tip, missing, working_copy = bookmark.read(tree.project)
    found = named.of(repo, tip)
    if missing or tip != head or found is None:
        return None
    return Facts(
        head=head,
        parked=head,
        applied=applied,
        tip=tip,
        working_copy=working_copy,
        tip_tree=found.top,
        subject=found.subject,
        **_in_use(tree),
    )


def facts_of(tree: RunTree) -> Facts:
    """Read the facts, but for who is busy there; several programs run side by side.

    Where jj has to be asked for the tip, what git says of it is taken for likely meanwhile.
    """
    if not is_present(tree):
        return Facts(present=False)
    if tree.project.paths:
        return Facts(**pathcode.facts_of(tree))
    repo = Repo(tree.code_path)
    tip_asked = bookmark.ask(tree.project)  # first, as it takes longest
    way = repo.detached_at(), bookmark.in_git(tree.project)
    with (
        repo.ask("status", *_STATUS) as status_asked,
        named.asked(repo, way[1]) as likely_named,
        diff.between_asked(repo, *way) as likely_changes,
    ):
        tip, missing, working_copy = tip_asked()
        found = likely_named() if tip == way[1] else named.of(repo, tip)
        if tip and found is None:
            tip, missing = None, "jj has not exported it"
        applied = _applied(tree)
        status = parse_status(status_asked.answer())
        parked, edited = _stand(repo, tree, status, applied)
        changes = likely_changes() if (parked, tip) == way else None
    gone_on = status.branch is None and status.head not in (applied, tip)
    return Facts(
        branch=status.branch,
        head=status.head,
        parked=parked,
        applied=applied,
        tip=tip,
        tip_missing=missing,
        working_copy=working_copy,
        cut_off=tree.journal().read() is not None,
        stray=bool(applied and status.head and gone_on and repo.is_ancestor(applied, status.head)),
        alone=parked is not None and parked not in (applied, tip) and _is_alone(repo, parked),
        subject=found.subject if found else None,
        **_in_use(tree),
        **_of_the_tip(repo, tree, tip, found.top if found else ()),
        **way_to(tree, tip, parked, edited, changes)._asdict(),
    )


def _applied(tree: RunTree) -> Sha | None:
    return refs.tip_of(Repo(tree.code_path), tree.applied_ref)


def _in_use(tree: RunTree) -> dict[str, Any]:
    """Return the facts about what is under way in the tree."""
    repo = Repo(tree.code_path)
    return {
        "operation": repo.operation(),
        "operation_above": Repo(tree.path).operation(),
        "locked": checkout.index_lock(repo),
    }


def facts_to_show(tree: RunTree, files: untouched.Left | None = None) -> Facts:
    """Return :func:`facts_of` a tree, with the ids of its backups; where it is not there, what main knows.

    No program is started where that is at rest, and its ``files``, as they are, tell that there are no edits.
    """
    if not is_present(tree):
        return facts_elsewhere(tree)
    facts = _clean_at_rest(tree, files) if files else None
    return (facts or facts_of(tree))._replace(backups=_ids(tree, Repo(tree.code_path)))


def _clean_at_rest(tree: RunTree, files: untouched.Left) -> Facts | None:
    facts, repo = at_rest(tree), Repo(tree.code_path)
    if facts is None:
        return None
    found = named.of(repo, refs.head_of(repo) if tree.project.paths else facts.tip)
    return facts if found and untouched.is_clean(files, found.tree) else None


def facts_elsewhere(tree: RunTree) -> Facts:
    """Return what the main tree's repository knows of a run tree that is not there."""
    repo = Repo(tree.project.main_code)
    if not (repo.path / ".git").exists():
        return Facts(present=False)
    tip, missing, working_copy = bookmark.read(tree.project)
    return Facts(
        present=False,
        applied=refs.tip_of(repo, tree.applied_ref),
        tip=tip,
        tip_missing=missing,
        working_copy=working_copy,
        subject=repo.subject(tip) if tip else None,
        backups=_ids(tree, repo),
    )


def _ids(tree: RunTree, repo: Repo) -> frozenset[str]:
    return frozenset(ref.removeprefix(tree.backup_prefix) for ref in refs.below(repo, tree.backup_prefix))


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


def way_to(
    tree: RunTree,
    to: Sha | None,
    parked: Sha | None,
    edited: tuple[str, ...],
    changes: tuple[Change, ...] | None = None,
) -> Way:
    """Look at the way from ``parked`` to a commit; ``edited`` are the edits that git sees.

    ``changes`` between both, if they are known.
    """
    if to is None or parked is None or (to == parked and not edited):
        return Way(edited=edited)
    repo = Repo(tree.code_path)
    if changes is None:
        changes = diff.between(repo, parked, to)
    unseen = obstacles.unseen_edits(repo, changes, frozenset(edited))
    ways = obstacles.in_the_way(repo, changes, (*edited, *unseen), tree.project.protected)
    here = (path for path in dict.fromkeys((*ways, *edited)) if obstacles.is_here(repo.path, path))
    kinds = ((path, bytewise.kind_of(repo.path / path)) for path in here)
    return Way(
        changes=changes,
        edited=(*edited, *unseen),
        unlooked=tuple(hidden.unlooked(repo, unseen).items()),
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
