"""What a nested work tree consists of, and what in it differs from what is committed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, GitAsking, Repo
from wtwatch.words.model import Sha

_FIELDS = {"1": 8, "u": 10}


class Subdataset(NamedTuple):
    """A subdataset that a tree's HEAD names: its path from the top, and whether it is installed there."""

    path: str
    installed: bool


def subdatasets(top: Path, below: str = "") -> Iterator[Subdataset]:
    """Yield all subdatasets of the tree at ``top``, outside in, as the HEADs that are there name them."""
    for name in _paths_in_gitmodules(Repo(top / below)):
        path = f"{below}/{name}" if below else name
        installed = (top / path / ".git").exists()
        yield Subdataset(path, installed)
        if installed:
            yield from subdatasets(top, path)


def _paths_in_gitmodules(repo: Repo) -> list[str]:
    listing = repo.git(
        "config", "--blob", "HEAD:.gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$", ok=(0, 1, 128)
    )
    return [entry.split("\n", 1)[1] for entry in listing.split("\0") if "\n" in entry]


def commits_since(tree: Path, base: Sha) -> tuple[Sha, ...]:
    """Return what was committed in the repository at ``tree`` after ``base``, oldest first.

    Of what was merged in, the merge alone counts.
    """
    listing = Repo(tree).git("rev-list", "--first-parent", "--reverse", f"{base}..HEAD")
    return tuple(Sha(commit) for commit in listing.split())


class Change(NamedTuple):
    """One path that differs from HEAD, as git-status(1) has it in porcelain version 2.

    ``staged`` and ``unstaged`` are its letters for "differs from HEAD" and "differs from the index", ``.``
    for neither; both are ``?`` for a file that git does not track (then the rest is empty). A path that ends
    with a slash is an untracked repository of its own.
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
    def gitlink(self) -> bool:
        """It is a subdataset, or was one."""
        return GITLINK in (self.in_head[0], self.in_index[0])


def start_changes(tree: Path, env: Mapping[str, str]) -> GitAsking:
    """Start to look at what differs in the repository at ``tree``; pass it to :func:`read_changes`."""
    return Repo(tree).ask(
        "status",
        "--porcelain=v2",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--ignored=no",
        "--ignore-submodules=dirty",  # what is inside of them is asked there
        env=env,
    )


def read_changes(tree: Path, started: GitAsking) -> list[Change]:
    """Return what differs, subdatasets only by the commit at which they stand."""
    return list(_parse(started.answer()))


def changes_in(tree: Path, env: Mapping[str, str]) -> list[Change]:
    """Return what differs in the repository at ``tree`` (not in its subdatasets) from HEAD."""
    return read_changes(tree, start_changes(tree, env))


def _parse(text: str) -> Iterator[Change]:
    for line in filter(None, text.split("\0")):
        kind = line[0]
        if kind == "?":
            yield Change(line[2:], "?", "?")
        elif kind in _FIELDS:
            fields = line.split(" ", _FIELDS[kind])
            letters, path = fields[1], fields[-1]
            if kind == "1":
                head, index = (fields[3], Sha(fields[6])), (fields[4], Sha(fields[7]))
            else:  # in conflict: no one entry in the index
                head, index = ("", Sha("")), ("", Sha(""))
            yield Change(path, letters[0], letters[1], head, index)


_KEY = re.compile(r"(?:\.\./)*\.git/annex/objects/(?:.*/)?([^/\n]+)$")


def unlocked(tree: Path, changed: list[Change]) -> dict[str, Path]:
    """Return the annexed paths that were unlocked, without the index holding other content, and the content.

    ``git annex unlock`` puts a pointer to the key into the index where HEAD has a symlink to it
    (https://git-annex.branchable.com/internals/pointer_file/).
    """
    found = [change for change in changed if change.staged == "T" and change.in_head[0] == "120000"]
    targets = _targets(Repo(tree), [change.in_head[1] for change in found])
    keys = [_KEY.match(target) for target in targets]
    return {
        change.path: (tree / change.path).parent / target
        for change, target, key in zip(found, targets, keys, strict=True)
        if key and change.in_index[1] == _blob_id(f"/annex/objects/{key[1]}\n", len(change.in_index[1]))
    }


def _targets(repo: Repo, symlinks: list[Sha]) -> list[str]:
    """Return where symlinks point to, by the ids of their blobs (git-cat-file(1), --batch)."""
    if not symlinks:
        return []
    rest = repo.git("cat-file", "--batch", stdin="".join(f"{name}\n" for name in symlinks))
    targets = []
    for following in [*symlinks[1:], None]:
        content = rest.split("\n", 1)[1]
        end = len(content) if following is None else content.index(f"\n{following} blob ")
        targets.append(content[:end].rstrip("\n"))
        rest = content[end + 1 :]
    return targets


def _blob_id(text: str, digits: int) -> Sha:
    """Return the id that git gives a blob: SHA-1 of header and content, or SHA-256 in newer repositories."""
    content = text.encode("utf-8", "surrogateescape")
    digest = hashlib.new("sha1" if digits == 40 else "sha256", b"blob %d\0" % len(content))
    digest.update(content)
    return Sha(digest.hexdigest())
