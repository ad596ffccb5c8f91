"""The run branch as wtwatch last saw it, kept by a ref: so that one which somebody rewrote is noticed.

Results are committed upon what was there. A branch that lacks what it had was reset, rebased or amended, by
hand or by jj, which does so to all that stands on a commit that it rewrites. Which of both is meant is the
user's to say; until then nothing comes to it. Both are whole, as the ref keeps the one from git-gc(1).
"""

from __future__ import annotations

from wtwatch.doors import refs
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


def look(tree: RunTree) -> None:
    """Note the run branch if it goes on from the one that is known; raise :class:`WtwatchError` if not.

    Where code is a subdataset, wtwatch itself amends what it committed last, so nothing is noted.
    """
    repo = Repo(tree.project.main_tree)
    tip = refs.tip_of(repo, f"refs/heads/{tree.branch}")
    if tip is None or not tree.project.paths:
        return
    known = refs.tip_of(repo, tree.known_ref)
    if known == tip:
        return
    if known is None:
        _begin(tree, repo, tip)
    elif not repo.is_ancestor(known, tip):
        raise WtwatchError(*_rewritten(tree, known, tip))
    repo.update_refs({tree.known_ref: tip}, why="seen")


def _begin(tree: RunTree, repo: Repo, tip: Sha) -> None:
    """Have it noted anew where the run branch began, if it is one that began elsewhere."""
    fork = refs.tip_of(repo, tree.fork_ref)
    if fork is None or repo.is_ancestor(fork, tip):
        return
    main = tree.project.main_branch or "HEAD"
    began = repo.git("merge-base", tip, main, ok=(0, 1, 128))
    if began:
        repo.update_refs({tree.fork_ref: Sha(began)}, why="the run branch was rewritten")


def _rewritten(tree: RunTree, known: Sha, tip: Sha) -> tuple[str, str]:
    run, main = quoted(tree.path), quoted(tree.project.main_tree)
    branch = quoted(tree.branch)
    return (
        f"The branch {tree.branch} was rewritten: {tip[:10]} lacks {known[:10]}, as it last was.",
        f"Go back to that: git -C {run} checkout -B {branch} {known[:10]}; "
        f"or go on from the new one: git -C {main} update-ref -d {tree.known_ref}",
    )
