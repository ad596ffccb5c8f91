"""What the `.git` of a work tree leads to: a repository, or nowhere; and the annex behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.quoting import quoted


def check_links(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Refuse worktrees (each with its repository before it) whose `.git` leads nowhere, with the repair."""
    broken = [(source, ours) for source, ours in pairs if _leads_nowhere(ours / ".git")]
    if not broken:
        return
    steps = []
    for source, ours in broken:
        repair = f"git -C {quoted(source)} worktree repair"
        # git does not write through the link that git-annex made of its file
        link = (ours / ".git").is_symlink()
        steps += [f"rm {quoted(ours / '.git')}", repair] if link else [f"{repair} {quoted(ours)}"]
    raise UsageError(
        f"{broken[0][1]} is a worktree, but what its .git points to is gone: was a superdataset moved?",
        f"If it belongs to {broken[0][0]}:\n" + "\n".join(f"  {step}" for step in steps),
    )


def _leads_nowhere(link: Path) -> bool:
    if link.is_file():
        target = (
            link.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir: ").rstrip("\n")
        )
        return not (link.parent / target).is_dir()
    return link.is_symlink() and not link.exists()


def check_absorbed(trees: Sequence[Path]) -> None:
    """Refuse annexed trees (outer ones first) whose git directory is absorbed, with the way back."""
    absorbed = [tree for tree in trees if (tree / ".git").exists() and is_absorbed(tree)]
    trapped = [tree for tree in absorbed if is_annexed(tree)]
    if not trapped:
        return
    # inner ones first: they lie in the git directories of outer ones
    steps = [step for tree in reversed(absorbed) for step in _brought_back(tree)]
    raise WtwatchError(
        f"The git directory of {trapped[0]} is absorbed into its superdataset, so a worktree of it would "
        "have an annex of its own.",
        "Bring it back in place:\n" + "\n".join(f"  {step}" for step in steps),
    )


def _brought_back(tree: Path) -> Iterator[str]:
    """Yield the commands that put an absorbed git directory back where it came from."""
    place, link = Repo(tree).git_dir(), quoted(tree / ".git")
    yield f"rm {link}"
    yield f"mv {quoted(place)} {link}"
    if Repo(tree).git("config", "-f", str(place / "config"), "core.worktree", ok=(0, 1)):
        yield f"git config -f {link}/config --unset-all core.worktree"


def shares_annex(main: Path, worktree: Path) -> bool:
    """Return whether content that arrives in ``worktree`` is seen from ``main``: one annex for both."""
    if not is_annexed(main):
        return True
    ours = Repo(worktree).git_dir() / "annex"
    # git-annex links it when it first works in a worktree
    return not os.path.lexists(ours) or ours.resolve() == (Repo(main).common_dir() / "annex").resolve()


def is_linked(tree: Path) -> bool:
    """Return whether ``tree`` is a linked worktree of another one (git-worktree(1))."""
    repo = Repo(tree)
    return repo.git_dir() != repo.common_dir()


def is_annexed(tree: Path) -> bool:
    """Return whether the repository at ``tree`` has an annex."""
    return bool(Repo(tree).git("config", "annex.uuid", ok=(0, 1)))


def is_absorbed(tree: Path) -> bool:
    """Return whether the git directory of ``tree`` lies in the ``.git/modules`` of its superdataset.

    A worktree of such a repository gets an annex of its own: content made there is invisible to the main
    tree, and lost with the worktree.
    """
    link = tree / ".git"
    # git-annex turns git's file into a symlink
    return (link.is_file() or link.is_symlink()) and "/.git/modules/" in str(Repo(tree).git_dir())
