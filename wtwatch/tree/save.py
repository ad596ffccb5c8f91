"""The pointer commit in the run tree's superdataset, and the refs that keep named code commits alive.

Plumbing only: the commit changes the gitlink of ``code`` alone, whatever else is staged or dirty, and costs
the same with a hundred thousand files.
"""

from subprocess import Popen
from typing import NamedTuple

from wtwatch.doors.journal import Journal
from wtwatch.doors.repo import GITLINK, ZERO, Repo
from wtwatch.project.config import Project
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

SIGN = "Saved-by: wtwatch"
"""The last line of each pointer commit: only commits that wtwatch made are ever folded."""


_LISTING = ("ls-tree", "-z", "--full-tree", "HEAD", "--")


class Pointer(NamedTuple):
    """The gitlink of ``code`` in the commit ``head`` of the run tree's superdataset."""

    head: Sha
    branch: str | None
    recorded: Sha | None


def look(project: Project) -> Pointer:
    """Return what the superdataset of the run tree records as its code."""
    tree = Repo(project.run_tree)
    started = start_recorded(project)
    head = tree.resolve("HEAD")
    pointer = recorded(project, started)
    if head is None:
        raise WtwatchError(f"{project.run_tree} has no commit.", "Look at `git status` there.")
    return Pointer(head, tree.branch(), pointer)


def start_recorded(project: Project) -> Popen[str]:
    """Start to ask which code commit the run tree's superdataset names; pass it to :func:`recorded`."""
    return Repo(project.run_tree).start(*_LISTING, project.code)


def recorded(project: Project, started: Popen[str]) -> Sha | None:
    """Return which code commit the superdataset of the run tree names."""
    return _gitlink(Repo(project.run_tree).answer(started, ok=(0, 128)))


def _gitlink(listing: str) -> Sha | None:
    """Read the gitlink off the one entry that `git ls-tree` listed."""
    return Sha(listing.split()[2]) if listing.startswith(GITLINK) else None


def keep(project: Project, commits: set[Sha]) -> None:
    """Give each code commit a ref of its own, so that no squash, abandon or gc can take it."""
    lines = [f"update refs/wtwatch/keep/{commit} {commit}\n" for commit in sorted(commits)]
    if lines:
        Repo(project.main_code).git("update-ref", "--stdin", stdin="".join(lines))


def keep_named(project: Project, since: Sha | None) -> None:
    """Keep the code commits that the superdataset's commits after ``since`` name (``None``: all commits)."""
    tree = Repo(project.run_tree)
    revisions = ["HEAD"] if since is None or not tree.resolve(since) else ["HEAD", f"^{since}"]
    raw = tree.git(
        "log", "--format=", "--raw", "-m", "--no-abbrev", "--no-renames", *revisions, "--", project.code
    )
    named = {
        line.split()[3] for line in raw.splitlines() if line.startswith(":") and line.split()[1] == GITLINK
    }
    code = Repo(project.main_code)
    keep(project, {Sha(commit) for commit in named if commit != ZERO and code.resolve(commit)})


def cut_off(project: Project) -> bool:
    """Return whether a crash came between the branch and the index of an earlier :func:`record`."""
    return Journal(project.state / "journal.pointer").read() is not None


def record(project: Project, new: Sha, foldable: bool, known: Pointer | None = None) -> Sha | None:
    """Save ``new`` as the pointer of ``code``; return the commit made, or ``None`` if it was saved already.

    The keep ref comes first. With ``foldable`` (no job or ``exec`` started on the last commit), a pointer
    commit that only wtwatch and this branch know is replaced instead of piled upon. The branch moves by
    compare and swap: raises :class:`CommandFailed` if somebody else moved it meanwhile, since ``known`` was
    looked at.
    """
    keep(project, {new})
    tree, pointer = Repo(project.run_tree), known or look(project)
    if pointer.branch is None:
        raise WtwatchError(
            f"The superdataset in {project.run_tree} is on no branch, so results would belong nowhere.",
            f"git -C {project.run_tree} checkout {project.bookmark}",
        )
    if pointer.branch != project.bookmark:
        raise WtwatchError(
            f"The superdataset in {project.run_tree} is on the branch {pointer.branch}, "
            f"not {project.bookmark}.",
            f"git -C {project.run_tree} checkout {project.bookmark}",
        )
    journal = Journal(project.state / "journal.pointer")
    if pointer.recorded == new:
        if journal.read() is not None:  # the branch moved, and a crash kept the index from being told
            _tell_index(tree, project.code, new)
            journal.close()
        return None
    before = _fold(project, tree, pointer, pointer.branch) if foldable and pointer.recorded else None
    base, old = before or (pointer.head, pointer.recorded)
    made = base
    if old != new:
        made = _commit(project, tree, base, old, new)
    journal.open({"to": new})
    tree.update_ref(f"refs/heads/{pointer.branch}", made, pointer.head, f"code is at {new[:10]}")
    _tell_index(tree, project.code, new)
    journal.close()
    return made


def _commit(project: Project, tree: Repo, base: Sha, old: Sha | None, new: Sha) -> Sha:
    code = Repo(project.main_code)
    asked = code.start("log", "-1", "--format=%s", "--end-of-options", new)
    files = tree.with_gitlink(base, project.code, new)
    subject = code.answer(asked, ok=(0, 128))
    was = old[:10] if old else "nothing"
    message = (
        f"{project.code}: {was} → {new[:10]} {subject}\n\n"
        f"The run tree's code moved with the bookmark {project.bookmark}.\n\n"
        f"Old: {old or 'none'}\nNew: {new}\n{SIGN}\n"
    )
    return Sha(tree.git("commit-tree", files, "-p", base, stdin=message))


def _tell_index(tree: Repo, path: str, commit: Sha) -> None:
    tree.git("update-index", "--add", "--cacheinfo", f"{GITLINK},{commit},{path}")


def _fold(project: Project, tree: Repo, pointer: Pointer, branch: str) -> tuple[Sha, Sha | None] | None:
    """Return the parent of the last commit and the pointer in it, if that commit may be replaced.

    That is a pointer commit of wtwatch which nothing reaches but ``branch`` (git asks itself side by side).
    """
    commit = pointer.head
    shown = tree.start("log", "-1", "--format=%P%n%B", commit)
    refs = tree.start("for-each-ref", "--contains", commit, "--format=%(refname)")
    listing = tree.start("ls-tree", "-z", "--full-tree", f"{commit}^", "--", project.code)
    others = tree.detached_heads()
    parents, *message = tree.answer(shown).strip().splitlines()
    reached_by = tree.answer(refs).splitlines()
    before = _gitlink(tree.answer(listing, ok=(0, 128)))
    if len(parents.split()) != 1 or message[-1:] != [SIGN] or reached_by != [f"refs/heads/{branch}"]:
        return None
    if any(tree.is_ancestor(commit, head) for head in others):
        return None
    return Sha(parents), before
