"""The run branch as wtwatch last saw it, kept by a ref: so that one which somebody rewrote is noticed.

Results are committed upon what was there. A branch that lacks what it had was reset, rebased or amended, by
hand or by jj, which does so to all that stands on a commit that it rewrites, or was set elsewhere like a
bookmark of code. Which of both is meant is the user's to say; until then nothing comes to it or goes home
from it. Both are whole, as the ref keeps the one from git-gc(1).
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from wtwatch.bring import wrote
from wtwatch.doors import refs
from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, keeping, pathcode
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


class Lost(NamedTuple):
    """What a run branch had and lacks now, by its newest commit; why that is, and both ways on."""

    commit: Sha
    reason: str
    hint: str


_RELEASES = 20
"""How many releases that came to a run branch are looked at for the code that it has now, newest first."""

_lead_on: Memory[tuple[Sha, Sha], bool] = Memory(1000)
"""Pairs of commits of which the second was found to come from the first, which never changes."""


def look(tree: RunTree) -> None:
    """Note the run branch if it goes on from the one that is known; raise :class:`WtwatchError` if not.

    Where code is a subdataset, wtwatch itself amends what it committed last, so nothing is noted.
    """
    found = note(tree)
    if found is not None:
        raise WtwatchError(found.reason, found.hint)


def note(tree: RunTree) -> Lost | None:
    """Note the run branch if it goes on from the one that is known; return what it lacks if not.

    Then it is kept as it was and as it became. Once the user has settled which one it is, that of the other
    which no branch has is in a backup.
    """
    found = lost(tree)
    repo = Repo(tree.project.main_tree)
    tip = refs.tip_of(repo, f"refs/heads/{tree.branch}")
    if found is not None:
        _keep(tree, repo, found.commit, tip)
        return found
    if tip is None or not tree.project.paths:
        return None
    _settle(tree, repo, tip)
    known = refs.tip_of(repo, tree.known_ref)
    if known == tip:
        return None
    if known is None:
        _begin(tree, repo, tip)
    repo.update_refs({tree.known_ref: tip}, why="seen")
    return None


def _keep(tree: RunTree, repo: Repo, was: Sha, became: Sha | None) -> None:
    both = zip(tree.rewritten_refs, (was, became), strict=True)
    new = {ref: commit for ref, commit in both if commit and refs.tip_of(repo, ref) != commit}
    if new:
        repo.update_refs(new, why="the run branch was rewritten")


def _settle(tree: RunTree, repo: Repo, tip: Sha) -> None:
    """Let go of what was kept of a run branch that was rewritten; what no branch has is backed up first."""
    for ref, when in zip(
        tree.rewritten_refs, ("before it was rewritten", "as it was rewritten"), strict=True
    ):
        kept = refs.tip_of(repo, ref)
        if kept is None:
            continue
        if not repo.git("for-each-ref", "--count=1", f"--contains={kept}", "refs/heads", "refs/remotes"):
            backups.keep(tree, tip, kept, f"the branch {tree.branch}, {when}")
        repo.git("update-ref", "-d", ref, kept)


def lost(tree: RunTree) -> Lost | None:
    """Return what the run branch lacks of what it was known to have, or of what a detached run tree is at.

    jj takes a work tree off a branch that it moves, and leaves it where that was. Nothing is changed.
    """
    if not tree.project.paths:
        return None
    repo = Repo(tree.project.main_tree)
    tip = refs.tip_of(repo, f"refs/heads/{tree.branch}")
    here = Repo(tree.path).detached_at() if (tree.path / ".git").exists() else None
    for had in (here, refs.tip_of(repo, tree.known_ref)):
        if had is not None and (tip is None or not goes_on(repo, had, tip)):
            return _lost(tree, repo, had, tip)
    return None


def goes_on(repo: Repo, old: Sha, new: Sha) -> bool:
    """Return whether ``new`` comes from ``old``, or is it; git is asked once where that is so."""
    if old != new and not _lead_on.get((old, new)):
        if not repo.is_ancestor(old, new):
            return False
        _lead_on[old, new] = True
    return True


def _begin(tree: RunTree, repo: Repo, tip: Sha) -> None:
    """Have it noted anew where the run branch began, and which release it has, if that is another now."""
    fork = refs.tip_of(repo, tree.fork_ref)
    began = Sha(repo.git("merge-base", tip, tree.project.main_branch or "HEAD", ok=(0, 1, 128)))
    if began and fork is not None and not repo.is_ancestor(fork, tip):
        repo.update_refs({tree.fork_ref: began}, why="the run branch was rewritten")
    applied, paths = refs.tip_of(repo, tree.applied_ref), tree.project.paths
    if applied is None or not pathcode.between(repo, paths, applied, tip):
        return
    released = islice(wrote.releases(repo, tip), _RELEASES)
    for code in filter(None, (refs.tip_of(repo, tree.project.bookmark_ref), *released, fork, began)):
        if repo.resolve(code) and not pathcode.between(repo, paths, code, tip):
            found = {tree.applied_ref: code, f"{keeping.PREFIX}{code}": code}
            repo.update_refs(found, why="the run branch was rewritten")
            return


def _lost(tree: RunTree, repo: Repo, had: Sha, tip: Sha | None) -> Lost:
    run, main = quoted(tree.path), quoted(tree.project.main_tree)
    branch = quoted(tree.branch)
    back = f"git -C {run} checkout -B {branch} {had[:10]}"
    if tip is None:
        return Lost(had, f"The branch {tree.branch} is gone, which last was at {had[:10]}.", f"Back: {back}")
    is_mains = goes_on(repo, tip, repo.resolve("HEAD") or tip)
    said = f" It is for results; code is released by {tree.project.bookmark}." if is_mains else ""
    on = f"git -C {main} update-ref -d {tree.known_ref}"
    if Repo(tree.path).branch() != tree.branch:
        on = f"git -C {run} checkout {branch} && {on}"
    return Lost(
        had,
        f"The branch {tree.branch} was rewritten, or set elsewhere: {tip[:10]} lacks {had[:10]}, as it last "
        f"was.{said}",
        f"Go back to that: {back}; or go on from the new one: {on}",
    )
