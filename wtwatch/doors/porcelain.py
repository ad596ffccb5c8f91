"""What git prints for programs, as values."""

from typing import NamedTuple

from wtwatch.words.model import Sha


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


class Changes(NamedTuple):
    """What ``git status`` says: where HEAD is, and the paths that differ from it.

    ``edited`` are tracked paths with staged or unstaged changes, ``unmerged`` those in conflict,
    ``untracked`` and ``ignored`` those that git does not track, as far as they were asked for.
    """

    head: Sha | None
    branch: str | None
    edited: tuple[str, ...]
    unmerged: tuple[str, ...]
    untracked: tuple[str, ...]
    ignored: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing differs, as far as was asked."""
        return not (self.edited or self.unmerged or self.untracked)


def parse_status(text: str) -> Changes:
    """Read ``git status --porcelain=v2 --branch -z`` (git-status(1), "Porcelain Format Version 2")."""
    head: Sha | None = None
    branch: str | None = None
    paths: dict[str, list[str]] = {"1": [], "2": [], "u": [], "?": [], "!": []}
    fields = iter(text.split("\0"))
    for line in fields:
        kind = line[:1]
        if line.startswith("# branch.oid ") and not line.endswith("(initial)"):
            head = Sha(line.removeprefix("# branch.oid "))
        elif line.startswith("# branch.head ") and not line.endswith("(detached)"):
            branch = line.removeprefix("# branch.head ")
        elif kind in "?!" and line:
            paths[kind].append(line[2:])
        elif kind in "12u" and line:
            paths[kind].append(line.split(" ", {"1": 8, "2": 9, "u": 10}[kind])[-1])
            if kind == "2":  # a rename: the old name follows
                paths["1"].append(next(fields))
    edited = (*paths["1"], *paths["2"])
    return Changes(head, branch, edited, tuple(paths["u"]), tuple(paths["?"]), tuple(paths["!"]))
