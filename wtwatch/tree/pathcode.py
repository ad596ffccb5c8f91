"""Look at code that is paths of the superdataset itself: how its entries, and its files, stand to a release.

The run tree is on the run branch, whose commits hold results and the code of the release that is *applied*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtwatch.doors import jj, refs
from wtwatch.doors.memory import Memory
from wtwatch.doors.porcelain import TreeEntry, parse_status
from wtwatch.doors.repo import UNFILTERED, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytewise, checkout, diff, hidden, named, obstacles
from wtwatch.tree import tip as bookmark
from wtwatch.tree.diff import Change
from wtwatch.words.model import Sha

_LITERAL: Mapping[str, str] = {"GIT_LITERAL_PATHSPECS": "1"}

_known: Memory[tuple[str, Sha, Sha], tuple[Change, ...]] = Memory(1000)
"""What differs in code between two commits, which never changes, by the paths of code and both."""

_tops: Memory[tuple[str, Sha], tuple[TreeEntry, ...]] = Memory(128)
"""What lies in a folder of a commit, which never changes, by both."""


def note_brought(paths: tuple[str, ...], release: Sha, commit: Sha) -> None:
    """Note of a commit just made that it has the code of a release, so that git need not be asked."""
    _known["\0".join(paths), release, commit] = ()


def between(repo: Repo, paths: tuple[str, ...], old: Sha, new: Sha) -> tuple[Change, ...]:
    """Return what differs in code between two commits; git is asked once."""
    asked = ("\0".join(paths), old, new)
    found = _known.get(asked) if old != new else ()
    if found is None:
        words = ("diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", "-z", old, new, "--")
        listing = repo.git(*words, *paths, env=_LITERAL)
        found = _known[asked] = diff.changes_in(listing)
    return found


def applied(tree: RunTree) -> Sha | None:
    """Return the release whose code the run branch has, as it was noted."""
    return refs.tip_of(Repo(tree.project.main_tree), tree.applied_ref)


def written(tree: RunTree) -> tuple[str, ...]:
    """Return the paths of code that the run branch has otherwise than the release that is applied."""
    repo = Repo(tree.path)
    release, head = applied(tree), refs.head_of(repo)
    if release is None or head is None:
        return ()
    found = between(repo, tree.project.paths, release, head)
    return tuple(change.path for change in found) if found and not _on_its_way(tree, repo, head) else ()


def _on_its_way(tree: RunTree, repo: Repo, head: Sha) -> bool:
    """Return whether code is that of a release which is being brought, or was a moment ago."""
    coming = Sha((tree.journal("bring").read() or {}).get("release", "")) or applied(tree)
    return coming is not None and not between(repo, tree.project.paths, coming, head)


def at_rest(tree: RunTree) -> dict[str, Any] | None:
    """Return the facts of code that stands at the tip, for :class:`Facts`; ``None`` where it does not."""
    release = applied(tree)
    if release is None or bookmark.in_git(tree.project) != release or written(tree):
        return None
    repo = Repo(tree.path)
    tip, missing, working_copy = bookmark.read(tree.project)
    found = named.of(repo, tip)
    if missing or tip != release or found is None:
        return None
    return {
        "head": release,
        "parked": release,
        "applied": release,
        "tip": tip,
        "working_copy": working_copy,
        "tip_tree": tops(tree, tip),
        "subject": found.subject,
        **_in_use(repo),
    }


def facts_of(tree: RunTree) -> dict[str, Any]:
    """Return the facts of code, for :class:`Facts`.

    ``head`` and ``parked`` are the release that is applied, ``written`` what commits on the run branch
    made of code besides.
    """
    repo, paths = Repo(tree.path), tree.project.paths
    words = ("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=no")
    with repo.ask(*UNFILTERED, *words, "--", *paths, env=_LITERAL) as status_asked:
        tip, missing, working_copy = bookmark.read(tree.project)
        found = named.of(repo, tip)
        if tip and found is None:
            tip, missing = None, "jj has not exported it"
        tip_tree = tops(tree, tip) if tip else ()
        status = parse_status(status_asked.answer())
    if status.edited:  # or content of the annex: its filter knows
        status = parse_status(repo.git(*words, "--", *paths, env=_LITERAL))
    release, head = applied(tree), refs.head_of(repo)
    if release is None and tip and head and not between(repo, paths, tip, head):
        at: Sha | None = tip  # a run tree that is new
    else:
        at = release
    edited = (*status.edited, *status.unmerged)
    changes = between(repo, paths, at, tip) if at and tip else ()
    unseen = obstacles.unseen_edits(repo, changes, frozenset(edited))
    mine = written(tree) if release else ()
    ways = obstacles.in_the_way(repo, changes, (*edited, *unseen), _own(tree))
    kinds = ((path, bytewise.kind_of(repo.path / path)) for path in (*ways, *edited))
    return {
        "head": at,
        "parked": at,
        "applied": release,
        "tip": tip,
        "tip_missing": missing,
        "working_copy": working_copy,
        "changes": changes,
        "edited": (*edited, *unseen),
        "unlooked": tuple(hidden.unlooked(repo, unseen).items()),
        "in_the_way": tuple(ways),
        "nested": tuple(path for path in ways if path.endswith("/")),
        "odd": tuple((path, kind) for path, kind in kinds if kind),
        "written": mine,
        "merged": bool(mine) and _is_of(repo, paths, head, tip),
        "conflicted": found is not None and any(one.path.startswith(jj.CONFLICT_PREFIX) for one in found.top),
        "protected": _protected(tree, repo, tip, tip_tree),
        "tip_tree": tip_tree,
        "subject": found.subject if found else None,
        **_in_use(repo),
    }


def _is_of(repo: Repo, paths: tuple[str, ...], head: Sha | None, tip: Sha | None) -> bool:
    """Return whether the code of ``head`` is that of ``tip``, merged by hand: nobody wrote there beside it.

    git-log(1) follows a merge to the parent alone from which it has all of these paths.
    """
    if head is None or tip is None or between(repo, paths, tip, head):
        return False
    return not repo.git("rev-list", "-1", head, "--not", tip, "--", *paths, env=_LITERAL)


def tops(tree: RunTree, commit: Sha) -> tuple[TreeEntry, ...]:
    """Return what a commit has in the folder whose files say what the environment has to hold."""
    repo, home = Repo(tree.project.main_tree), tree.code_home
    if not home:
        top = named.of(repo, commit)
        return top.top if top else ()
    found = _tops.get((home, commit))
    if found is None:
        inside = repo.tree(commit, f"{home}/").values()
        found = tuple(entry._replace(path=entry.path.removeprefix(f"{home}/")) for entry in inside)
        if len(found) < named.LARGE:
            _tops[home, commit] = found
    return found


def _protected(
    tree: RunTree, repo: Repo, tip: Sha | None, tip_tree: tuple[TreeEntry, ...]
) -> tuple[str, ...]:
    if tip is None:
        return ()
    names = {path.strip("/") for path in tree.project.protected}
    if any("/" in name for name in names):
        return tuple(repo.tree(tip, *_own(tree)))
    return tuple(f"{tree.code_home}/{entry.path}".strip("/") for entry in tip_tree if entry.path in names)


def _own(tree: RunTree) -> list[str]:
    """Return the protected paths, from the top."""
    return [f"{tree.code_home}/{path.strip('/')}".strip("/") for path in tree.project.protected]


def _in_use(repo: Repo) -> dict[str, Any]:
    return {"operation_above": repo.operation(), "locked": checkout.index_lock(repo)}
