"""A merge, rebase, cherry-pick, revert or bisect under way in a work tree: what it keeps, and its end."""

from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")

_LEFT = (*_HEADS, "MERGE_MSG", "MERGE_MODE", "BISECT_*")

_FOLDERS = ("rebase-merge", "rebase-apply", "sequencer")

_OWN_REFS = ("refs/bisect", "refs/rewritten")
"""Refs that belong to an operation in one work tree, and go with it (gitrepository-layout(5))."""


def files_in(git_dir: Path) -> list[str]:
    """Return what an operation under way keeps in a work tree's git directory, relative to that."""
    below = (file for folder in _FOLDERS for file in sorted((git_dir / folder).rglob("*")))
    files = (*below, *(file for pattern in _LEFT for file in sorted(git_dir.glob(pattern))))
    return [str(file.relative_to(git_dir)) for file in files if file.is_file() and not file.is_symlink()]


def held_commits(repo: Repo) -> list[Sha]:
    """Return the commits that an operation under way here holds on to, and perhaps no ref that stays.

    Those are in its refs, and named in its files: what is still to be done, what was made already.
    """
    root = repo.git_dir()
    files = [root / path for path in files_in(root)]
    words = {word for file in files for word in file.read_text("utf-8", "replace").split() if _is_id(word)}
    names = sorted({*words, *repo.refs(*_OWN_REFS).values()})
    asked = "".join(f"{name}^{{commit}}\n" for name in names)
    answers = repo.git("cat-file", "--batch-check", stdin=asked).splitlines() if names else []
    found = [Sha(answer.split()[0]) for answer in answers if answer.split()[1] == "commit"]
    return [Sha(name) for name in repo.git("merge-base", "--independent", *found).split()] if found else []


def _is_id(word: str) -> bool:
    """Return whether a word may name an object: a cherry-pick notes what is to be done by short ids."""
    return len(word) >= 7 and not word.strip("0123456789abcdef")


def end(repo: Repo) -> None:
    """End the operation that is under way here; HEAD, index and files stay as they are."""
    word = repo.operation()
    if word == "bisect":
        repo.git("bisect", "reset", "HEAD")
    elif word == "rebase" and (repo.git_dir() / "rebase-apply" / "applying").exists():
        repo.git("am", "--quit")
    elif word:
        repo.git(word, "--quit")
