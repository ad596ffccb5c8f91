"""Look at the run tree's code: everything that a decision about it rests on, in one read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wtwatch import jj
from wtwatch.config import Project
from wtwatch.errors import CommandFailed
from wtwatch.model import Process, Sha
from wtwatch.processes import working_in
from wtwatch.repo import Repo, TreeEntry, parse_status, parse_tree


@dataclass(frozen=True)
class Facts:
    """All that the decision rests on, read in one look.

    ``parked`` is the commit at which the files stand; it differs from HEAD where a branch was moved from
    outside. ``in_the_way`` are files that git does not track, where the tip or a restored file wants to be;
    ``nested`` those of them that are repositories of their own. ``stray``: HEAD holds commits made in the
    run tree on top of applied. ``operation`` is one like "merge in code" that waits for the user.
    """

    present: bool = True
    branch: str | None = None
    head: Sha | None = None
    parked: Sha | None = None
    applied: Sha | None = None
    tip: Sha | None = None
    tip_missing: str | None = None
    edited: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    stray: bool = False
    operation: str | None = None
    locked: Path | None = None
    protected: tuple[str, ...] = ()
    conflicted: bool = False
    submodules: bool = False
    busy: tuple[Process, ...] = ()
    tip_tree: tuple[TreeEntry, ...] = ()


def look(project: Project, busy: bool = False, ignore: Iterable[int] = ()) -> Facts:
    """Read the facts; several git commands run side by side. ``busy`` also asks who works in the tree."""
    code = Repo(project.run_code)
    if not (project.run_code / ".git").exists() or not (project.run_tree / ".git").exists():
        return Facts(present=False)
    asked = _ask_jj(project)
    refs = code.start(
        "for-each-ref", "--format=%(refname) %(objectname)", project.bookmark_ref, project.applied_ref
    )
    status = code.start("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no")
    known = dict(line.split(" ") for line in code.answer(refs).splitlines())
    applied = Sha(known[project.applied_ref]) if project.applied_ref in known else None
    git_tip = Sha(known[project.bookmark_ref]) if project.bookmark_ref in known else None
    tip, missing = _tip(project, git_tip, asked)
    listing = code.start("ls-tree", "-z", "--full-tree", tip) if tip else None
    changes = parse_status(code.answer(status))
    parked = changes.head
    edited = (*changes.edited, *changes.unmerged)
    if changes.branch == project.bookmark and changes.head and not _index_is_at(code, changes.head):
        parked = _parked_at(code, changes.head, applied)
        edited = tuple(_differing(code, parked))
    try:
        tree = parse_tree(code.answer(listing)) if listing else ()
    except CommandFailed:
        tip, missing, tree = None, "jj has not exported it", ()
    own = set(project.protected)
    tops = {entry.path: entry for entry in tree}
    ways: tuple[str, ...] = ()
    if tip and parked and (tip != parked or edited):
        ways = tuple(_in_the_way(code, parked, tip, edited, own))
    return Facts(
        branch=changes.branch,
        head=changes.head,
        parked=parked,
        applied=applied,
        tip=tip,
        tip_missing=missing,
        edited=edited,
        in_the_way=ways,
        nested=tuple(path for path in ways if path.endswith("/")),
        stray=bool(
            applied
            and changes.branch is None
            and changes.head not in (applied, tip)
            and code.is_ancestor(applied, changes.head or "HEAD")
        ),
        operation=_operation(project),
        locked=_lock(code),
        protected=tuple(path for path in project.protected if _tracks(code, tip, path, tops)),
        conflicted=any(path.startswith(jj.CONFLICT_PREFIX) for path in tops),
        submodules=".gitmodules" in tops,
        busy=tuple(working_in(project.run_tree, project.passive, tuple(ignore))) if busy else (),
        tip_tree=tree,
    )


def _operation(project: Project) -> str | None:
    for path, where in ((project.run_code, "code"), (project.run_tree, "the superdataset")):
        word = Repo(path).operation()
        if word:
            return f"{word} in {where}"
    return None


def _lock(code: Repo) -> Path | None:
    lock = code.git_dir() / "index.lock"
    return lock if lock.exists() else None


def _tracks(code: Repo, tip: Sha | None, path: str, tops: dict[str, TreeEntry]) -> bool:
    if tip is None:
        return False
    if "/" not in path.strip("/"):
        return path.strip("/") in tops
    return bool(code.tree(tip, path))


_seen: dict[tuple[Path, str], tuple[tuple[str, ...], jj.Bookmark]] = {}


def _ask_jj(project: Project) -> jj.Bookmark | None:
    """Return jj's word on the bookmark, asked again only after jj did something."""
    code = project.main_code
    if not jj.drives(code):
        return None
    key, operation = (code, project.bookmark), jj.operation(code)
    if key not in _seen or _seen[key][0] != operation:
        _seen[key] = (operation, jj.bookmark(code, project.bookmark))
    return _seen[key][1]


def _tip(project: Project, in_git: Sha | None, in_jj: jj.Bookmark | None) -> tuple[Sha | None, str | None]:
    """Say where the bookmark is: in git's words where git moved it last, else in jj's."""
    if in_jj is None:
        return in_git, None
    targets = in_jj.targets
    if in_git != in_jj.git:  # git moved it since jj looked
        moved_in_jj = targets not in ((), (in_jj.git,), (in_git,))
        return (None, "conflicted") if moved_in_jj else (in_git, None)
    if len(targets) > 1:
        return None, "conflicted"
    return (targets[0] if targets else None), None


def _index_is_at(code: Repo, commit: Sha) -> bool:
    return code.succeeds("diff-index", "--cached", "--quiet", commit)


def _parked_at(code: Repo, head: Sha, applied: Sha | None) -> Sha:
    """Find the commit whose files lie in a tree that is on a branch which moved from outside.

    Moves from outside do not append to the worktree's own reflog, so its last entry is the commit that was
    checked out; the index confirms it.
    """
    written = Sha(code.git("log", "-g", "-1", "--format=%H", "HEAD", ok=(0, 128)) or head)
    candidates = [commit for commit in (written, applied) if commit]
    return next((commit for commit in candidates if _index_is_at(code, commit)), written)


def _differing(code: Repo, commit: Sha) -> set[str]:
    listing = code.git("diff-index", "--name-only", "-z", commit)
    listing += "\0" + code.git("diff-index", "--cached", "--name-only", "-z", commit)
    return {path for path in listing.split("\0") if path}


def _in_the_way(code: Repo, parked: Sha, tip: Sha, edited: Sequence[str], own: set[str]) -> Iterator[str]:
    """Yield untracked or ignored files where a file of the tip, or one to restore, has to be.

    A folder that is a repository of its own ends with a slash.
    """
    wanted = set(edited)
    if parked != tip:
        listing = code.git(
            "diff-tree", "-r", "--no-renames", "--name-only", "--diff-filter=AT", "-z", parked, tip
        )
        wanted.update(path for path in listing.split("\0") if path)
    hits = {hit for path in wanted for hit in _occupants(code.path, path)}
    if not hits:
        return
    hits = {hit for hit in hits if hit.rstrip("/").split("/")[0] not in own}
    asked = [hit for hit in sorted(hits) if not hit.endswith("/")]
    tracked = set(code.git("ls-files", "-z", "--", *(f":(literal){hit}" for hit in asked)).split("\0"))
    for hit in sorted(hits):
        if hit not in tracked:
            yield hit


def _occupants(root: Path, path: str) -> Iterator[str]:
    """Yield what lies on disk at ``path``, at one of its parents that is no folder, or below it."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        full = root / parent
        if full.is_symlink() or (full.exists() and not full.is_dir()):
            yield parent
            return
    full = root / path
    if full.is_dir() and not full.is_symlink():
        for folder, subfolders, files in os.walk(full):
            if ".git" in subfolders or ".git" in files:
                subfolders.clear()
                yield os.path.relpath(folder, root) + "/"
                continue
            links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
            yield from (os.path.relpath(Path(folder) / name, root) for name in (*files, *links))
    elif os.path.lexists(full):
        yield path
