"""Results on their way home where something came from main since: what was written is laid over main.

A merge would take what main changed after that for changed on both sides, and bring back what it dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from wtwatch.bring import wrote
from wtwatch.bring.overlay import Blocked, Code, overlay
from wtwatch.bring.steps import run_branch
from wtwatch.bring.wrote import Entry, RunBranch, Wrote
from wtwatch.doors.refs import tip_of
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.model import Sha


class Over:
    """What was written on the run branch and how it comes to main's commit ``ours``; see :func:`over`."""

    def __init__(self, branch: RunBranch, ours: Sha, code: Code) -> None:
        self.branch = branch
        self.ours = ours
        self.code = code

    @cached_property
    def wrote(self) -> Wrote:
        """What was written that main lacks."""
        return wrote.since(self.branch, self.ours)

    def gitlinks(self) -> dict[str, Sha]:
        """Return the commits that the run branch names of the subdatasets that were written."""
        now = wrote.entries(self.branch.repo, self.branch.tip, self.wrote.paths)
        return {path: entry.sha for path, entry in now.items() if entry.mode == GITLINK}

    def tried(self, done: Mapping[str, Sha]) -> tuple[str, tuple[str, ...]]:
        """Return the tree of main with the results, and the paths in conflict; the pointer of code is merged.

        ``done`` are subdatasets, by path, with the commit that they will be at.
        """
        found = overlay(self.branch, self.ours, self.code, lambda path, *_: done.get(path))
        if isinstance(found, Blocked):
            return "", found.paths
        if not self.code.paths or self.code.applied is not None:  # code is elsewhere, or main's
            return found.tree, ()
        (pointer,) = self.code.paths
        base, theirs, ours = (
            wrote.entries(self.branch.repo, commit, [pointer]).get(pointer)
            for commit in (self.wrote.base, self.branch.tip, self.ours)
        )
        if theirs in (ours, base) or not _is_link(theirs):
            return found.tree, ()
        if ours == base and theirs is not None:
            return self.branch.repo.with_gitlink(found.tree, pointer, theirs.sha), ()
        return found.tree, (pointer,)


def _is_link(entry: Entry | None) -> bool:
    return entry is not None and entry.mode == GITLINK


def over(project: Project, repo: Repo, ours: Sha, theirs: Sha) -> Over | None:
    """Return how the run branch ``theirs`` comes home to ``ours``; ``None`` where nothing came from main.

    Where code is paths of the superdataset, it comes home so at any time.
    """
    tree = RunTree.of(project)
    branch = run_branch(tree, ours, note=False)
    if branch is None:
        return None
    code = Code(project.code_paths, ours, _applied(tree, branch) if project.paths else None)
    found = Over(branch._replace(repo=repo, tip=theirs), ours, code)
    return found if found.wrote.brings or project.paths else None


def within(repo: Repo, ours: Sha, theirs: Sha, base: Sha) -> Over | None:
    """Return the same for a subdataset without code, ``base`` the newest commit that both sides have."""
    found = Over(RunBranch(repo, theirs, base), ours, Code((), ours))
    return found if found.wrote.brings else None


def _applied(tree: RunTree, branch: RunBranch) -> Sha:
    return tip_of(branch.repo, tree.applied_ref) or branch.fork
