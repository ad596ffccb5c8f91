"""What a backup is made of, beside the commits it keeps: the files, and what else git had in its hands.

Each part that is not the files' is a commit of its own among the parents of the backup, named by its subject.
Such a commit always has the same date, so that the same content gives the same commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.tree import bytewise, obstacles, operation
from wtwatch.tree.bytewise import Entry
from wtwatch.words.errors import NoIdentity, WtwatchError
from wtwatch.words.model import Sha

STAGED = "what was staged"
"""The state of the index, where it differs from the commit that the tree was parked at."""

CONFLICT = "what was in conflict"
"""The stages of unmerged files, below folders named by :data:`SIDES`."""

UNDER_WAY = "what was under way"
"""What an operation keeps for itself, such as the patches of an am; its parents are the commits it holds."""

NAMES = (STAGED, CONFLICT, UNDER_WAY)
SIDES = {"1": "base", "2": "ours", "3": "theirs"}
"""What the stages of an unmerged file are called (git-ls-files(1), --unmerged)."""

_CHANGED = ("diff-files", "--raw", "--no-renames", "--ignore-submodules", "-z")
SUBJECT = "wtwatch: "
"""How the subject of such a commit begins."""

_NOBODY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "wtwatch"), ("EMAIL", "wtwatch@localhost"))
}
"""Whom a backup names where git knows nobody."""

_ONCE = {f"GIT_{role}_DATE": "2000-01-01T00:00:00Z" for role in ("AUTHOR", "COMMITTER")}


def commit(
    repo: Repo, tree: str, parents: Sequence[Sha], message: str, env: Mapping[str, str] | None = None
) -> Sha:
    """Make a commit of a tree, even where git knows nobody to name as its author."""
    try:
        return repo.commit_tree(tree, parents, message, env=env)
    except NoIdentity:  # what is in the way is kept, whoever put it there
        return repo.commit_tree(tree, parents, message, env={**_NOBODY, **(env or {})})


def _part(repo: Repo, name: str, tree: str, parents: Sequence[Sha]) -> Sha:
    return commit(repo, tree, parents, SUBJECT + name, _ONCE)


class Desk:
    """A copy of the index on which a backup is put together; the real one stays untouched."""

    def __init__(self, repo: Repo, scratch: Path) -> None:
        self._repo = repo
        self._scratch = scratch
        import shutil

        index = scratch / "index"
        # with its time: git distrusts what changed as late as that (racy-git of git's technical notes)
        with suppress(FileNotFoundError):  # without one all is as with an empty one
            shutil.copy2(repo.git_dir() / "index", index)
        self._env = {"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"}
        listing = repo.git("ls-files", "-z", "--unmerged", env=self._env).split("\0")
        fields = (line.split("\t", 1) for line in filter(None, listing))
        stages = [(*facts.split(), path) for facts, path in fields]
        self._conflict = [Entry(mode, Sha(blob), f"{SIDES[n]}/{path}") for mode, blob, n, path in stages]
        self._unmerged = sorted({path for *_, path in stages})

    def staged(self, base: Sha) -> dict[str, Sha]:
        """Return commits of what the index holds beyond ``base``: what is staged, and what is in conflict.

        An unmerged file counts as at ``base`` from here on.
        """
        made = {}
        if self._unmerged:
            listing = self._repo.git("ls-tree", "-z", "--full-tree", base, "--", *self._unmerged)
            lines = (line.split("\t", 1) for line in filter(None, listing.split("\0")))
            at_base = [Entry(facts.split()[0], Sha(facts.split()[2]), path) for facts, path in lines]
            bytewise.put(self._repo, self._env, at_base, self._unmerged)
            tree = bytewise.tree_of(self._repo, self._conflict, self._scratch / "conflict")
            made[CONFLICT] = _part(self._repo, CONFLICT, tree, [base])
        tree = Sha(self._repo.git("write-tree", env=self._env))
        if tree != self._repo.git("rev-parse", f"{base}^{{tree}}"):
            made[STAGED] = _part(self._repo, STAGED, tree, [base])
        return {name: made[name] for name in NAMES if name in made}

    def under_way(self, base: Sha) -> dict[str, Sha]:
        """Return a commit of what an operation that is under way holds, if there is one."""
        if self._repo.operation() is None:
            return {}
        root = self._repo.git_dir()
        entries = bytewise.entries_of(self._repo, root, operation.files_in(root), self._scratch)
        tree = bytewise.tree_of(self._repo, entries, self._scratch / "operation")
        held = operation.held_commits(self._repo)
        return {UNDER_WAY: _part(self._repo, UNDER_WAY, tree, held or [base])}

    def files(self, doomed: Iterable[str], odd_too: bool = False) -> Sha:
        """Return a tree of the files as they are on disk: all that git tracks, and ``doomed``.

        What is no file cannot be in it: then nothing is done, unless ``odd_too`` says it is kept elsewhere.

        What git-annex keeps goes into the annex, where its content is safe from any change.
        """
        listing = self._repo.git(*_CHANGED, env=self._env).split("\0")
        changed = {path: facts.split() for facts, path in zip(listing[::2], listing[1::2], strict=False)}
        annexed = self._annexed({path: Sha(facts[2]) for path, facts in changed.items() if facts[4] == "M"})
        if annexed:
            words = ("update-index", "-z", "--stdin")
            self._repo.git(*words, env=self._env, stdin="".join(f"{path}\0" for path in annexed))
        paths = list(dict.fromkeys((*changed, *doomed, *self._unmerged)))
        root = self._repo.path
        odd = [path for path in paths if obstacles.is_here(root, path) and bytewise.kind_of(root / path)]
        if odd and not odd_too:
            raise WtwatchError(
                f"{root / odd[0]} is a {bytewise.kind_of(root / odd[0])}, which git cannot keep."
            )
        here = [p for p in paths if obstacles.is_here(root, p) and bytewise.is_file(root / p)]
        entries = bytewise.entries_of(
            self._repo, root, [path for path in here if path not in annexed], self._scratch
        )
        bytewise.put(self._repo, self._env, entries, [path for path in paths if path not in here])
        return Sha(self._repo.git("write-tree", env=self._env))

    def _annexed(self, blobs: dict[str, Sha]) -> list[str]:
        """Return which files are annexed and unlocked, by what the index has of them."""
        if not blobs or not (self._repo.common_dir() / "annex").is_dir():
            return []
        pointers = bytewise.pointers_among(self._repo, list(blobs.values()))
        return [path for path, blob in blobs.items() if blob in pointers]


def parts_of(repo: Repo, backup: Sha) -> dict[str, Sha]:
    """Return the parts of a backup, by name; the rest of its parents are the commits that it keeps."""
    parents = repo.git("log", "-1", "--format=%P", backup).split()[1:]
    if not parents:
        return {}
    listing = repo.git("log", "--no-walk=unsorted", "--format=%H %s", *parents).split("\n")
    found = {subject: Sha(name) for name, subject in (line.split(" ", 1) for line in listing)}
    return {name: found[SUBJECT + name] for name in NAMES if SUBJECT + name in found}
