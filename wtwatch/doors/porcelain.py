"""What git prints for programs, as values."""

import operator
import re
from collections.abc import Sequence
from itertools import dropwhile, takewhile
from typing import NamedTuple

from wtwatch.words.errors import WtwatchError
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


RawEntry = tuple[bytes, bytes, bytes]
"""A mode, a name and an id, as the bytes of a tree have them."""

_ENTRY = {
    40: re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL),
    64: re.compile(rb"([0-7]+) ([^\0]+)\0(.{32})", re.DOTALL),
}
"""A line of a folder, by the digits that an id has."""


class GitObject(NamedTuple):
    """One answer of ``git cat-file --batch``: what the object is, and its bytes."""

    sha: Sha
    kind: str
    body: bytes

    def entries(self) -> tuple[TreeEntry, ...]:
        """Return what a tree holds; its bytes are a mode, a name and a raw id for each."""
        found, at, size = [], 0, len(self.sha) // 2
        while at < len(self.body):
            blank = self.body.index(b" ", at)
            end = self.body.index(b"\0", blank) + 1
            mode = self.body[at:blank].decode("ascii").zfill(6)
            path = self.body[blank + 1 : end - 1].decode("utf-8", "surrogateescape")
            sha = Sha(self.body[end : end + size].hex())
            found.append(TreeEntry(mode, _KINDS.get(mode, "blob"), sha, path))
            at = end + size
        return tuple(found)

    def raw_entries(self) -> list[RawEntry] | None:
        """Return what a tree holds as bytes, which is much quicker; ``None`` for what is no sound tree."""
        found: list[RawEntry] = _ENTRY[len(self.sha)].findall(self.body) if self.kind == "tree" else []
        size = sum(len(mode) + len(name) + len(sha) + 2 for mode, name, sha in found)
        return found if self.kind == "tree" and size == len(self.body) else None

    def tree(self) -> Sha:
        """Return the tree of a commit, which its first line names."""
        return Sha(self.body.partition(b"\n")[0].removeprefix(b"tree ").decode("ascii"))

    def parents(self) -> tuple[Sha, ...]:
        """Return the parents of a commit."""
        lines = self.body.partition(b"\n\n")[0].splitlines()
        return tuple(Sha(line[7:].decode("ascii")) for line in lines if line.startswith(b"parent "))

    def upon(self, tree: Sha, parent: Sha) -> bytes | None:
        """Return what a commit is told as, with other files and another parent: else the same to the letter.

        ``None`` for one that says more than whose it is and from when: a signature would not be of it.
        """
        head, _, message = self.body.decode("utf-8", "surrogateescape").partition("\n\n")
        lines = [line for line in head.splitlines() if not line.startswith(("tree ", "parent "))]
        if [line.partition(" ")[0] for line in lines] not in _PLAIN:
            return None
        text = "\n".join([f"tree {tree}", f"parent {parent}", *lines, "", message])
        return text.encode("utf-8", "surrogateescape")

    def message(self) -> str:
        """Return the message of a commit."""
        head, _, message = self.body.partition(b"\n\n")
        named = next((line[9:] for line in head.splitlines() if line.startswith(b"encoding ")), b"utf-8")
        try:
            return message.decode(named.decode("ascii"), "surrogateescape")
        except (LookupError, UnicodeError):  # as git has it: bytes as they are
            return message.decode("utf-8", "surrogateescape")

    def subject(self) -> str:
        """Return the first paragraph of a commit's message as one line (``%s`` of git-log(1))."""
        lines = [line.rstrip() for line in self.message().split("\n")]
        return " ".join(takewhile(bool, dropwhile(operator.not_, lines)))


_PLAIN = (["author", "committer"], ["author", "committer", "encoding"])
"""What commits say besides files and parents, apart from those that say more."""

_KINDS = {"040000": "tree", GITLINK: "commit"}


def parse_objects(printed: bytes) -> tuple[GitObject | None, ...]:
    """Read ``git cat-file --batch``, answer by answer; ``None`` for what is not there."""
    found: list[GitObject | None] = []
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at) + 1
        words = printed[at:end].decode("utf-8", "surrogateescape").split()
        at = end
        if len(words) == 3 and words[2].isdigit():
            size = int(words[2])
            found.append(GitObject(Sha(words[0]), words[1], printed[at : at + size]))
            at += size + 1  # with the end of its line
        else:
            found.append(None)
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


def folders_above(tree: str, path: str) -> list[str]:
    """Return the names in git of the folders of ``tree`` that lead to ``path``, outermost first."""
    folders = path.split("/")[:-1]
    return [f"{tree}:{'/'.join(folders[:depth])}" for depth in range(len(folders) + 1)]


def entries_of_all(found: Sequence[GitObject | None], names: Sequence[str]) -> list[tuple[TreeEntry, ...]]:
    """Return what trees hold that were asked for by ``names``; raises :class:`WtwatchError` without one."""
    there = [tree for tree in found if tree is not None and tree.kind == "tree"]
    if len(there) < len(names):
        lacking = next(name for tree, name in zip(found, names, strict=True) if tree not in there)
        raise WtwatchError(f"Git has no folder {lacking}.", "Look at `git fsck` there.")
    return [tree.entries() for tree in there]
