"""The pointer commit in the run tree's superdataset, and the refs that keep named code commits alive.

Plumbing only: the commit changes the gitlink of ``code`` alone, whatever else is staged or dirty, and costs
the same with a hundred thousand files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import loose
from wtwatch.doors.beside import Beside
from wtwatch.doors.journal import Journal
from wtwatch.doors.memory import Memory
from wtwatch.doors.porcelain import GitObject, TreeEntry, entries_of_all, folders_above
from wtwatch.doors.refs import head_of, tip_of
from wtwatch.doors.repo import GITLINK, ZERO, GitAsking, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import keeping, named
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

SIGN = "Saved-by: wtwatch"
"""The last line of each pointer commit: only commits that wtwatch made are ever folded."""

_FEW = 20
"""Up to so many refs are looked up one by one, which starts no program."""

_LISTING = ("ls-tree", "-z", "--full-tree")


class Pointer(NamedTuple):
    """The gitlink of ``code`` in the commit ``head`` of the run tree's superdataset.

    ``cut_off``: a crash came between the branch and the index of an earlier :func:`record`.
    """

    head: Sha
    branch: str | None
    recorded: Sha | None
    cut_off: bool = False


_known: Memory[tuple[Sha, str], tuple[Sha | None]] = Memory(1000)
"""The pointer in a commit of a superdataset, which never changes, by that commit and the path of code."""


def pointer_of(tree: RunTree) -> Pointer:
    """Return what the superdataset of the run tree records as its code; git is asked once a commit."""
    dataset = Repo(tree.path)
    head = head_of(dataset)
    if head is None:
        raise WtwatchError(f"{tree.path} has no commit.", "Look at `git status` there.")
    if tree.project.paths:  # the code's own entries name it
        return Pointer(head, dataset.branch(), tip_of(dataset, tree.applied_ref))
    asked = (head, tree.project.code)
    found = _known.get(asked)
    if found is None:
        found = (_gitlink(dataset.git(*_LISTING, head, "--", tree.project.code)),)
        _known[asked] = found
    return Pointer(head, dataset.branch(), found[0], journal(tree).read() is not None)


def journal(tree: RunTree) -> Journal:
    """Return the journal of :func:`record`; a move that was announced there goes on with the pointer."""
    return tree.journal("pointer")


@contextmanager
def asked_recorded(tree: RunTree) -> Iterator[Callable[[], Sha | None]]:
    """Start to ask which code commit the run tree's superdataset names; what is yielded returns it.

    Where the tree is not there, its branch says it. Git is asked once a commit.
    """
    here = (tree.path / ".git").exists()
    repo = Repo(tree.path if here else tree.project.main_tree)
    if tree.project.paths:
        yield lambda: tip_of(repo, tree.applied_ref)
        return
    head = head_of(repo) if here else tip_of(repo, f"refs/heads/{tree.branch}")
    known = _known.get((head, tree.project.code)) if head else None
    if head is None or known is not None:
        yield lambda: known[0] if known else None
        return
    with repo.ask(*_LISTING, head, "--", tree.project.code) as asking:

        def answer() -> Sha | None:
            found = _known[head, tree.project.code] = (_gitlink(asking.answer(ok=(0, 128))),)
            return found[0]

        yield answer


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
    code = Repo(tree.project.main_code)
    if len(commits) > _FEW:
        there = code.refs(keeping.PREFIX)
        wanted = {keep_ref(commit): commit for commit in commits if there.get(keep_ref(commit)) != commit}
    else:
        wanted = {keep_ref(commit): commit for commit in commits if tip_of(code, keep_ref(commit)) != commit}
    if wanted:
        code.update_refs(wanted)


def keep_ref(commit: Sha) -> str:
    """Return the ref that keeps a code commit alive, whichever project it is of."""
    return f"{keeping.PREFIX}{commit}"


def keep_named(tree: RunTree, since: Sha | None) -> None:
    """Keep the code commits that the superdataset's commits after ``since`` name (``None``: all commits)."""
    if tree.project.paths:
        return
    dataset = Repo(tree.path)
    revisions = ["HEAD"] if since is None or not dataset.resolve(since) else ["HEAD", f"^{since}"]
    raw = dataset.git(
        "log", "--format=", "--raw", "-m", "--no-abbrev", "--no-renames", *revisions, "--", tree.project.code
    )
    found = {
        line.split()[3] for line in raw.splitlines() if line.startswith(":") and line.split()[1] == GITLINK
    }
    keep(tree, Repo(tree.project.main_code).commits_among(Sha(name) for name in found - {ZERO}))


def record(tree: RunTree, new: Sha, foldable: bool, known: Pointer | None = None) -> Sha | None:
    """Save ``new`` as the pointer of ``code``; return the commit made, or ``None`` if it was saved already.

    With ``foldable`` (no job or ``exec`` started on the last commit), a pointer commit that only wtwatch and
    this branch know is replaced instead of piled upon. Raises what :meth:`Draft.save` does.
    """
    with drafted(tree, new, foldable, known or pointer_of(tree)) as draft:
        return draft.save()


@contextmanager
def drafted(tree: RunTree, new: Sha, foldable: bool, pointer: Pointer) -> Iterator[Draft]:
    """Have git make the commit that names ``new`` while other work goes on; it is on no branch yet."""
    if pointer.recorded == new or tree.project.paths:
        yield Draft(tree, new, pointer)
        return
    making = Beside(lambda: _made(tree, new, foldable, pointer))
    try:
        yield Draft(tree, new, pointer, making)
    finally:
        making.end()


class Draft(NamedTuple):
    """A pointer that is about to be saved; without ``making``, ``pointer`` says that it is saved already."""

    tree: RunTree
    new: Sha
    pointer: Pointer
    making: Beside[_Made] | None = None

    def save(self) -> Sha | None:
        """Put it in place: keep ref, branch, index; return the commit, or ``None`` if it was there already.

        The branch moves by compare and swap: raises :class:`CommandFailed` if somebody else moved it since
        ``pointer`` was looked at.
        """
        made = self._prepare()
        if made is not None:
            self._move_branch(made.commit)
        if made is not None or self.pointer.cut_off:  # a crash may have kept the index from being told
            _tell_index(self.tree, self.new)
        journal(self.tree).close(lasting=False)
        if made is not None and made.replaces and self.pointer.recorded is not None:
            keeping.note_replaced(self.tree, self.pointer.recorded)
            keeping.tidy(self.tree)
        return made.commit if made else None

    def _prepare(self) -> _Made | None:
        try:
            keep(self.tree, {self.new})
            if self.pointer.cut_off and self.pointer.branch:
                _drop_locks(Repo(self.tree.path), self.pointer.branch)
            return self.making.answer() if self.making else None
        except BaseException:
            if not self.pointer.cut_off:  # nothing was begun
                journal(self.tree).close(lasting=False)
            raise

    def _move_branch(self, made: Sha) -> None:
        if journal(self.tree).read() is None:  # else a move handed its own over
            journal(self.tree).open({"to": self.new})
        _known[made, self.tree.project.code] = (self.new,)
        branch, why = f"refs/heads/{self.pointer.branch}", f"code is at {self.new[:10]}"
        Repo(self.tree.path).update_ref(branch, made, self.pointer.head, why)


class _Made(NamedTuple):
    """A commit that names the new pointer, and whether it is to stand in the place of the last one."""

    commit: Sha
    replaces: bool


def _made(tree: RunTree, new: Sha, foldable: bool, pointer: Pointer) -> _Made:
    """Return a commit that names ``new``: one made, and on no branch yet, or one that is there already."""
    if pointer.branch is None or pointer.branch != tree.branch:
        raise off_branch(tree.path, tree.branch, pointer.branch)
    dataset = Repo(tree.path)
    base = _base(tree, dataset, pointer, foldable)
    made = base.commit if base.recorded == new else _commit(tree, dataset, base, new)
    return _Made(made, base.commit != pointer.head)


def _drop_locks(dataset: Repo, branch: str) -> None:
    """Take away the locks that the git of an earlier :func:`record` left when it was killed.

    Nobody works in the tree just now: that is looked at before a pointer is saved.
    """
    dataset.break_lock(f"refs/heads/{branch}")
    own = dataset.git_dir()
    for name in ("index.lock", "HEAD.lock"):
        (own / name).unlink(missing_ok=True)


class _Base(NamedTuple):
    """What a pointer commit goes onto: a commit, the pointer in it, and the folders that lead to code."""

    commit: Sha
    recorded: Sha | None
    above: list[tuple[TreeEntry, ...]]


def _base(tree: RunTree, dataset: Repo, pointer: Pointer, foldable: bool) -> _Base:
    """Return the last commit, or its parent where it may be replaced (two gits ask side by side).

    That is a pointer commit of wtwatch which nothing reaches but its branch.
    """
    commit, path = pointer.head, tree.project.code
    own, before = (folders_above(name, path) for name in (commit, f"{commit}^"))
    with _ask_who_has(dataset, commit) as refs, loose.asked(dataset, (commit, *own, *before)) as read:
        shown, *folders = read()
        if foldable and pointer.recorded and shown is not None and _is_ours(shown):
            alone = refs.answer().splitlines() == [f"refs/heads/{pointer.branch}"]
            if alone and not any(dataset.is_ancestor(commit, head) for head in dataset.detached_heads()):
                above = entries_of_all(folders[len(own) :], before)
                if _differ_in_code_alone(above, here := entries_of_all(folders[: len(own)], own), path):
                    return _Base(shown.parents()[0], _recorded(above, path), above)
                return _Base(commit, pointer.recorded, here)
    return _Base(commit, pointer.recorded, entries_of_all(folders[: len(own)], own))


def _differ_in_code_alone(
    one: list[tuple[TreeEntry, ...]], other: list[tuple[TreeEntry, ...]], path: str
) -> bool:
    """Return whether two commits have all but code alike, by the entries of the folders that lead there.

    What came from main is in a commit of wtwatch as well, and somebody may have amended one.
    """
    leads = path.split("/")
    return all(
        {entry for entry in here if entry.path != name} == {entry for entry in there if entry.path != name}
        for here, there, name in zip(one, other, leads, strict=True)
    )


def _ask_who_has(dataset: Repo, commit: Sha) -> GitAsking:
    return dataset.ask("for-each-ref", "--contains", commit, "--format=%(refname)")


def _is_ours(commit: GitObject) -> bool:
    """Return whether a commit is a pointer commit of wtwatch, as it was made."""
    return len(commit.parents()) == 1 and commit.message().strip().splitlines()[-1:] == [SIGN]


def _recorded(above: list[tuple[TreeEntry, ...]], path: str) -> Sha | None:
    """Return the pointer at ``path`` from the entries of the folders that lead there."""
    name = path.rpartition("/")[2]
    return next((entry.sha for entry in above[-1] if (entry.path, entry.mode) == (name, GITLINK)), None)


def _commit(tree: RunTree, dataset: Repo, base: _Base, new: Sha) -> Sha:
    files = dataset.with_gitlink(base.commit, tree.project.code, new, base.above)
    found, old = named.of(Repo(tree.project.main_code), new), base.recorded
    was = old[:10] if old else "nothing"
    message = (
        f"{tree.project.code}: {was} → {new[:10]} {found.subject if found else ''}\n\n"
        f"The run tree's code moved with the bookmark {tree.project.bookmark}.\n\n"
        f"Old: {old or 'none'}\nNew: {new}\n{SIGN}\n"
    )
    return dataset.commit_tree(files, [base.commit], message)


def _tell_index(tree: RunTree, commit: Sha) -> None:
    entry = f"{GITLINK},{commit},{tree.project.code}"
    Repo(tree.path).git("update-index", "--add", "--cacheinfo", entry)
