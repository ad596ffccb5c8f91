"""What git prints for programs, as values."""

from typing import NamedTuple

from wtwatch.words.model import Sha

GITLINK = "160000"
"""The mode of a subdataset's entry in a tree."""


class TreeEntry(NamedTuple):
    """One line of git-ls-tree(1)."""

    mode: str
    kind: str
    sha: Sha
    path: str


def parse_tree(listing: str) -> tuple[TreeEntry, ...]:
    """Read ``git ls-tree -z``."""
    found = []
    for line in filter(None, listing.split("\0")):
        head, path = line.split("\t", 1)
        mode, kind, sha = head.split()
        found.append(TreeEntry(mode, kind, Sha(sha), path))
    return tuple(found)


class Change(NamedTuple):
    """One path that differs from HEAD, as git-status(1) has it in porcelain version 2.

    ``staged`` and ``unstaged`` are its letters for "differs from HEAD" and "differs from the index", ``.``
    for neither; both are ``?`` for a file that git does not track and ``!`` for one that it ignores (then
    the rest is empty). A path that ends with a slash is an untracked repository of its own, or a folder.
    """

    path: str
    staged: str
    unstaged: str
    in_head: tuple[str, Sha] = ("", Sha(""))
    in_index: tuple[str, Sha] = ("", Sha(""))

    @property
    def untracked(self) -> bool:
        """Git does not know the file."""
        return self.staged == "?"

    @property
    def ignored(self) -> bool:
        """Git was told not to look at the file."""
        return self.staged == "!"

    @property
    def unmerged(self) -> bool:
        """It is in conflict: there is no one entry in the index."""
        return f"{self.staged}{self.unstaged}" in ("DD", "AU", "UD", "UA", "DU", "AA", "UU")

    @property
    def tracked(self) -> bool:
        """Git knows the file, and has one entry for it at most."""
        return not (self.untracked or self.ignored or self.unmerged)

    @property
    def gitlink(self) -> bool:
        """It is a subdataset, or was one."""
        return GITLINK in (self.in_head[0], self.in_index[0])


class Changes(NamedTuple):
    """What ``git status`` says: where HEAD is, and the paths that differ from it, as far as was asked."""

    head: Sha | None
    branch: str | None
    entries: tuple[Change, ...]

    @property
    def edited(self) -> tuple[str, ...]:
        """Tracked paths with staged or unstaged changes."""
        return tuple(change.path for change in self.entries if change.tracked)

    @property
    def unmerged(self) -> tuple[str, ...]:
        """Paths in conflict."""
        return tuple(change.path for change in self.entries if change.unmerged)

    @property
    def untracked(self) -> tuple[str, ...]:
        """Paths that git does not track."""
        return tuple(change.path for change in self.entries if change.untracked)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Paths that git ignores."""
        return tuple(change.path for change in self.entries if change.ignored)

    @property
    def clean(self) -> bool:
        """Nothing differs, as far as was asked."""
        return not any(not change.ignored for change in self.entries)


_FIELDS = {"1": 8, "2": 9, "u": 10}
"""How many fields of a line lie before the path, by its first letter."""


def parse_status(text: str) -> Changes:
    """Read ``git status --porcelain=v2 --branch -z`` (git-status(1), "Porcelain Format Version 2")."""
    head: Sha | None = None
    branch: str | None = None
    entries: list[Change] = []
    fields = iter(text.split("\0"))
    for line in fields:
        kind = line[:1]
        if line.startswith("# branch.oid ") and not line.endswith("(initial)"):
            head = Sha(line.removeprefix("# branch.oid "))
        elif line.startswith("# branch.head ") and not line.endswith("(detached)"):
            branch = line.removeprefix("# branch.head ")
        elif kind in ("?", "!"):
            entries.append(Change(line[2:], kind, kind))
        elif kind in _FIELDS:
            entries.append(_change(line.split(" ", _FIELDS[kind])))
            if kind == "2":  # a rename: the old name follows
                entries.append(Change(next(fields), "D", "."))
    return Changes(head, branch, tuple(entries))


def _change(fields: list[str]) -> Change:
    letters, path = fields[1], fields[-1]
    if fields[0] == "u":
        return Change(path, letters[0], letters[1])
    return Change(path, letters[0], letters[1], (fields[3], Sha(fields[6])), (fields[4], Sha(fields[7])))
