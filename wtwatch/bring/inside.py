"""A subdataset that changed on both sides: what was written there is laid over main's, as above it."""

from __future__ import annotations

from pathlib import Path

from wtwatch.bring import plan
from wtwatch.bring.overlay import Blocked, Inside
from wtwatch.bring.wrote import RunBranch
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

_NO_CODE: tuple[str, ...] = ()


def bringing(root: Path) -> Inside:
    """Return what brings main's commits into subdatasets below the work tree ``root``.

    Each gets a commit of one parent, which is on no branch yet; those inside it come first. Where one side
    has all of the other's, its commit stands. ``None`` where the subdataset or a commit of it is not here.
    """

    def merged(path: str, base: Sha | None, ours: Sha, theirs: Sha) -> Sha | Blocked | None:
        repo = _at(root / path)
        if repo is None or not _are_here(repo, base, ours, theirs):
            return None
        ahead = _ahead(repo, ours, theirs)
        if ahead or base is None:
            return ahead
        done = plan.from_main(RunBranch(repo, ours, base), theirs, _NO_CODE, bringing(root / path))
        if isinstance(done, Blocked):
            return done
        return done.commit if done else ours

    return merged


def _at(folder: Path) -> Repo | None:
    """Return the repository of a subdataset, if it is installed."""
    return Repo(folder) if (folder / ".git").exists() else None


def _are_here(repo: Repo, base: Sha | None, *commits: Sha) -> bool:
    wanted = {*commits, *([base] if base else [])}
    return repo.commits_among(wanted) == wanted


def _ahead(repo: Repo, ours: Sha, theirs: Sha) -> Sha | None:
    """Return the commit that comes from the other one, if one does."""
    if repo.is_ancestor(ours, theirs):
        return theirs
    return ours if repo.is_ancestor(theirs, ours) else None
