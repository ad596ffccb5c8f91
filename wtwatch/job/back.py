"""Bringing back what a job moved: code, the superdataset's branch, subdatasets; commits are kept by refs."""

from __future__ import annotations

from pathlib import Path

from wtwatch.doors.repo import ZERO, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import save, sync
from wtwatch.tree.states import After, Before
from wtwatch.words.model import Sha

NOTE = "COMMITS-IN-SUBDATASETS.txt"
"""The file among the leftovers that names commits which no commit of the superdataset took in."""


def code(tree: RunTree, code_sha: Sha, written: bool) -> list[str]:
    """Bring code to the job's commit, with edits and commits kept; return what was done, in words.

    ``written``: tracked content of it was changed.
    """
    repo = Repo(tree.code_path)
    head = repo.resolve("HEAD")
    elsewhere = head != code_sha or repo.branch() is not None or repo.operation() is not None
    if head is None or not (elsewhere or written):
        return []
    save.keep(tree, {head})
    backup = sync.apply(tree, sync.move_to(tree, code_sha))
    notes = [f"{tree.project.code} is back at {code_sha[:10]}"]
    if head != code_sha:
        notes.append(f"{head} is kept")
    return [*notes, *([f"edits are in the backup {backup.id}"] if backup else [])]


def branch(tree: RunTree, name: str, then: Before, after: After) -> list[str]:
    """Put the superdataset back on the branch that a job left, with what was committed off it kept."""
    was, now = then.at(""), after.at("")
    repo = Repo(tree.path)
    if was is None or now is None or was.branch is None or was.branch == now.branch:
        return []
    if repo.branch() == was.branch:
        return []
    head = repo.resolve("HEAD")
    notes = [f"the superdataset is back on {was.branch}"]
    if head is not None and not repo.is_ancestor(head, was.branch):
        kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
        notes.append(f"what was committed off it is kept as {kept}")
    repo.git("checkout", "-q", "--no-overwrite-ignore", was.branch, "--")
    if is_annexed(repo.path):
        repo.git("annex", "smudge", "--update")
    return notes


def keep_commits(tree: RunTree, base: Sha, name: str) -> str | None:
    """Keep by a ref what was committed in the superdataset after ``base``; return that in words."""
    repo = Repo(tree.path)
    head = repo.resolve("HEAD")
    if head is None or head == base:
        return None
    kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
    return f"what it committed is kept as {kept}"


def subdataset(tree: RunTree, path: str, place: Path, name: str) -> None:
    """Put a subdataset back to the commit that its superdataset names, keeping newer commits by a ref."""
    repo = Repo(tree.path / path)
    above, below = _superdataset(tree.path, path)
    entry = above.tree("HEAD", below).get(below)
    head = repo.resolve("HEAD")
    if entry is None or head is None or entry.sha == head:
        return
    kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
    place.mkdir(parents=True, exist_ok=True)
    with (place / NOTE).open("a", encoding="utf-8", errors="surrogateescape") as note:
        note.write(f"{path}: {head} is kept there as {kept}\n")
    branch = repo.branch()
    repo.git("checkout", "-q", "--no-overwrite-ignore", "--detach", entry.sha)
    if branch:
        repo.git("update-ref", "-m", "wtwatch: clear up", f"refs/heads/{branch}", entry.sha, head)
        repo.git("symbolic-ref", "-m", "wtwatch: clear up", "HEAD", f"refs/heads/{branch}")
    if is_annexed(repo.path):
        repo.git("annex", "smudge", "--update")


def _superdataset(top: Path, path: str) -> tuple[Repo, str]:
    """Return the repository in which ``path`` is a subdataset, and the path from there."""
    folder = (top / path).parent
    while folder != top and not (folder / ".git").exists():
        folder = folder.parent
    return Repo(folder), (top / path).relative_to(folder).as_posix()


def _keep(repo: Repo, ref: str, commit: Sha) -> str:
    number = 1
    vacant = ref
    while (there := repo.resolve(vacant)) not in (None, commit):
        number += 1
        vacant = f"{ref}-{number}"
    if there is None:
        repo.update_ref(vacant, commit, ZERO, "commits of a job that did not succeed")
    return vacant


def is_annexed(folder: Path) -> bool:
    """Return whether the repository at ``folder`` has an annex."""
    return bool(Repo(folder).git("config", "annex.uuid", ok=(0, 1)))
