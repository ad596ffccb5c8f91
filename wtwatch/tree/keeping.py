"""The end of keep refs: those of code that only pointer commits named which were replaced since.

A storm of moves leaves one keep ref for each. Dropped are those alone of which it is sure that no commit of
the superdataset names them; where that cannot be told, all stay, and are packed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.files import write_whole
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

PREFIX = "refs/wtwatch/keep/"
"""Where keep refs are, by the commit that each keeps."""

MANY = 256
"""So many pointers are replaced before their keep refs are looked at; so many loose ones are packed."""

RECENT = 16
"""The newest replaced pointers are left alone: somebody may be saving one this moment."""

_SHA = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$", re.MULTILINE)


def note_replaced(tree: RunTree, commit: Sha) -> None:
    """Note a code commit that a pointer commit named which was replaced by the next."""
    with _file(tree).open("a", encoding="ascii") as out:
        out.write(f"{commit}\n")


def tidy(tree: RunTree) -> None:
    """Drop the keep refs of replaced pointers, and pack the rest, once there are many; it can always wait."""
    with suppress(WtwatchError, OSError):
        if _file(tree).stat().st_size < MANY * len(f"{'0' * 40}\n"):
            return
        noted = _SHA.findall(_file(tree).read_text(encoding="ascii", errors="replace"))
        code = Repo(tree.project.main_code)
        if _is_alone(tree, code):
            _drop(code, set(noted[:-RECENT]) - _named(tree) - set(filter(None, code.worktrees().values())))
        write_whole(_file(tree), "".join(f"{commit}\n" for commit in noted[-RECENT:]))
        loose = code.common_dir() / PREFIX
        if loose.is_dir() and sum(1 for _ in loose.iterdir()) >= MANY:
            code.git("pack-refs", "--all")


def unkept(code: Repo, commits: Collection[Sha]) -> set[Sha]:
    """Return those of these commits of code that no ref leads to, so that gc may take them."""
    return _beyond(code, commits, "--all")


def lacking(project: Project, commits: Collection[Sha]) -> tuple[str, int] | None:
    """Return a remote of code, and how many of these commits no branch of a remote has, as far as known here.

    ``None`` where there is no remote, or they have all. Nothing is asked over the network.
    """
    code = Repo(project.main_code)
    remote = next(iter(code.git("remote").splitlines()), None)
    missing = len(_beyond(code, commits, "--remotes")) if remote else 0
    return (remote, missing) if remote and missing else None


def push_line(project: Project, remote: str) -> str:
    """Return the line that has a remote keep all code that results name; no branch of it is touched."""
    return f"git -C {quoted(project.main_code)} push {quoted(remote)} '{PREFIX}*:{PREFIX}*'"


def _beyond(code: Repo, commits: Collection[Sha], refs: str) -> set[Sha]:
    if not commits:
        return set()
    words = ("rev-list", "--ignore-missing", "--stdin", "--not", refs)
    found = code.git(*words, stdin="".join(f"{commit}\n" for commit in commits)).splitlines()
    return set(map(Sha, found)) & set(commits)


def _file(tree: RunTree) -> Path:
    return tree.state / "replaced-pointers"


def _drop(code: Repo, commits: Iterable[str]) -> None:
    there = code.refs(PREFIX)
    refs = [f"{PREFIX}{commit}" for commit in sorted(commits)]
    lines = [f"delete {ref} {there[ref]}\n" for ref in refs if ref in there]
    if lines:
        code.git("update-ref", "--stdin", stdin="".join(lines))


def _is_alone(tree: RunTree, code: Repo) -> bool:
    """Return whether code is worked with in this superdataset alone, as far as git knows.

    Each work tree of it then lies in its place in a work tree of the superdataset.
    """
    tops = Repo(tree.project.main_tree).worktrees()
    places = {(top / tree.project.code).resolve() for top in tops}
    return all(folder.resolve() in places for folder in code.worktrees())


def _named(tree: RunTree) -> set[str]:
    """Return the code commits that any commit of the superdataset names, or an index of its work trees."""
    dataset, path = Repo(tree.project.main_tree), tree.project.code
    shape = ("--format=", "--raw", "-m", "--no-abbrev", "--no-renames")
    raw = dataset.git("log", *shape, "--all", *dataset.detached_heads(), "--", path)
    found = {sha for line in raw.splitlines() if line.startswith(":") for sha in line.split()[2:4]}
    for top in dataset.worktrees():
        if (top / ".git").exists():
            staged = Repo(top).git("ls-files", "--stage", "--", path)
            found |= {line.split()[1] for line in staged.splitlines() if line.startswith(GITLINK)}
    return found
