"""The pointer commit in the run tree's superdataset, and the refs that keep named code commits alive.

Plumbing only: the commit changes the gitlink of ``code`` alone, whatever else is staged or dirty, and costs
the same with a hundred thousand files.
"""

from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, ZERO, GitAsking, Repo
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

SIGN = "Saved-by: wtwatch"
"""The last line of each pointer commit: only commits that wtwatch made are ever folded."""


_LISTING = ("ls-tree", "-z", "--full-tree")


class Pointer(NamedTuple):
    """The gitlink of ``code`` in the commit ``head`` of the run tree's superdataset."""

    head: Sha
    branch: str | None
    recorded: Sha | None


def pointer_of(tree: RunTree) -> Pointer:
    """Return what the superdataset of the run tree records as its code."""
    dataset = Repo(tree.path)
    started = start_recorded(tree)
    head = head_of(dataset)
    pointer = recorded(tree, started)
    if head is None:
        raise WtwatchError(f"{tree.path} has no commit.", "Look at `git status` there.")
    return Pointer(head, dataset.branch(), pointer)


def start_recorded(tree: RunTree) -> GitAsking:
    """Start to ask which code commit the run tree's superdataset names; pass it to :func:`recorded`.

    Where the tree is not there, its branch says it.
    """
    if (tree.path / ".git").exists():
        return Repo(tree.path).ask(*_LISTING, "HEAD", "--", tree.project.code)
    return Repo(tree.project.main_tree).ask(*_LISTING, f"refs/heads/{tree.branch}", "--", tree.project.code)


def recorded(tree: RunTree, started: GitAsking) -> Sha | None:
    """Return which code commit the superdataset of the run tree names."""
    return _gitlink(started.answer(ok=(0, 128)))


def _gitlink(listing: str) -> Sha | None:
    """Read the gitlink off the one entry that `git ls-tree` listed."""
    return Sha(listing.split()[2]) if listing.startswith(GITLINK) else None


def off_branch(top: Path, wanted: str, found: str | None) -> WtwatchError:
    """Return what to say of a superdataset that is not on its branch: the way back keeps what is on HEAD."""
    git, there = f"git -C {quoted(top)}", f"the branch {found}" if found else "no branch"
    return WtwatchError(
        f"The superdataset in {top} is on {there} instead of {wanted}, so results would belong nowhere.",
        f"Keep what was committed there, if anything was: {git} branch kept-results; "
        f"then: {git} checkout {quoted(wanted)}",
    )


def keep(tree: RunTree, commits: set[Sha]) -> None:
    """Give each code commit a ref of its own, so that no squash, abandon or gc can take it."""
    if commits:
        refs = {f"refs/wtwatch/keep/{commit}": commit for commit in commits}
        Repo(tree.project.main_code).create_refs(refs)


def keep_named(tree: RunTree, since: Sha | None) -> None:
    """Keep the code commits that the superdataset's commits after ``since`` name (``None``: all commits)."""
    dataset = Repo(tree.path)
    revisions = ["HEAD"] if since is None or not dataset.resolve(since) else ["HEAD", f"^{since}"]
    raw = dataset.git(
        "log", "--format=", "--raw", "-m", "--no-abbrev", "--no-renames", *revisions, "--", tree.project.code
    )
    named = {
        line.split()[3] for line in raw.splitlines() if line.startswith(":") and line.split()[1] == GITLINK
    }
    code = Repo(tree.project.main_code)
    keep(tree, {Sha(commit) for commit in named if commit != ZERO and code.resolve(commit)})


def cut_off(tree: RunTree) -> bool:
    """Return whether a crash came between the branch and the index of an earlier :func:`record`."""
    return tree.journal("pointer").read() is not None


def record(tree: RunTree, new: Sha, foldable: bool, known: Pointer | None = None) -> Sha | None:
    """Save ``new`` as the pointer of ``code``; return the commit made, or ``None`` if it was saved already.

    The keep ref comes first. With ``foldable`` (no job or ``exec`` started on the last commit), a pointer
    commit that only wtwatch and this branch know is replaced instead of piled upon. The branch moves by
    compare and swap: raises :class:`CommandFailed` if somebody else moved it meanwhile, since ``known`` was
    looked at.
    """
    keep(tree, {new})
    dataset, pointer = Repo(tree.path), known or pointer_of(tree)
    if pointer.branch is None or pointer.branch != tree.branch:
        raise off_branch(tree.path, tree.branch, pointer.branch)
    journal = tree.journal("pointer")
    if journal.read() is not None:
        _drop_locks(dataset, pointer.branch)
    if pointer.recorded == new:
        if journal.read() is not None:  # the branch moved, and a crash kept the index from being told
            _tell_index(dataset, tree.project.code, new)
            journal.close()
        return None
    before = _fold(tree, dataset, pointer, pointer.branch) if foldable and pointer.recorded else None
    base, old = before or (pointer.head, pointer.recorded)
    made = base
    if old != new:
        made = _commit(tree, dataset, base, old, new)
    journal.open({"to": new})
    dataset.update_ref(f"refs/heads/{pointer.branch}", made, pointer.head, f"code is at {new[:10]}")
    _tell_index(dataset, tree.project.code, new)
    journal.close()
    return made


def _drop_locks(dataset: Repo, branch: str) -> None:
    """Take away the locks that the git of an earlier :func:`record` left when it was killed.

    Nobody works in the tree just now: that is looked at before a pointer is saved.
    """
    dataset.break_lock(f"refs/heads/{branch}")
    own = dataset.git_dir()
    for name in ("index.lock", "HEAD.lock"):
        (own / name).unlink(missing_ok=True)


def _commit(tree: RunTree, dataset: Repo, base: Sha, old: Sha | None, new: Sha) -> Sha:
    code = Repo(tree.project.main_code)
    asked = code.ask("log", "-1", "--format=%s", "--end-of-options", new)
    files = dataset.with_gitlink(base, tree.project.code, new)
    subject = asked.answer(ok=(0, 128))
    was = old[:10] if old else "nothing"
    message = (
        f"{tree.project.code}: {was} → {new[:10]} {subject}\n\n"
        f"The run tree's code moved with the bookmark {tree.project.bookmark}.\n\n"
        f"Old: {old or 'none'}\nNew: {new}\n{SIGN}\n"
    )
    return dataset.commit_tree(files, [base], message)


def _tell_index(dataset: Repo, path: str, commit: Sha) -> None:
    dataset.git("update-index", "--add", "--cacheinfo", f"{GITLINK},{commit},{path}")


def _fold(tree: RunTree, dataset: Repo, pointer: Pointer, branch: str) -> tuple[Sha, Sha | None] | None:
    """Return the parent of the last commit and the pointer in it, if that commit may be replaced.

    That is a pointer commit of wtwatch which nothing reaches but ``branch`` (git asks itself side by side).
    """
    commit = pointer.head
    shown = dataset.ask("log", "-1", "--format=%P%n%B", commit)
    refs = dataset.ask("for-each-ref", "--contains", commit, "--format=%(refname)")
    listing = dataset.ask("ls-tree", "-z", "--full-tree", f"{commit}^", "--", tree.project.code)
    others = dataset.detached_heads()
    parents, *message = shown.answer().strip().splitlines()
    reached_by = refs.answer().splitlines()
    before = _gitlink(listing.answer(ok=(0, 128)))
    if len(parents.split()) != 1 or message[-1:] != [SIGN] or reached_by != [f"refs/heads/{branch}"]:
        return None
    if any(dataset.is_ancestor(commit, head) for head in others):
        return None
    return Sha(parents), before
