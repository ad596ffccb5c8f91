"""Which datasets a nested work tree consists of, and what in one of them differs from its HEAD."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.porcelain import Change, Changes, parse_status
from wtwatch.doors.repo import GitAsking, Repo
from wtwatch.tree.folders import Scope
from wtwatch.tree.gitlinks import gitlinks
from wtwatch.words.model import Sha

_STATUS = (
    "status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--ignored=no",
    "--ignore-submodules=dirty",  # what is inside of them is asked there
)  # fmt: skip
_OTHERS = ("ls-files", "-z", "--others", "--exclude-standard")
_STAGED = ("diff-index", "--cached", "--name-only", "--ignore-submodules=none", "-z", "HEAD", "--")
_LITERAL = "GIT_LITERAL_PATHSPECS"

LARGE = 1 << 20
"""Bytes of an index, of some ten thousand files, from which on two gits are quicker than one."""


class Subdataset(NamedTuple):
    """A subdataset that a tree's HEAD names: its path from the top, and whether it is installed there."""

    path: str
    installed: bool


def subdatasets(top: Path, below: str = "") -> Iterator[Subdataset]:
    """Yield all subdatasets of the tree at ``top``, outside in: the gitlinks of the HEADs that are there.

    What a tracked ``.gitmodules`` says is not asked. A path that would lead out of the tree, since a folder
    on the way is a symlink, counts as not installed.
    """
    for name in gitlinks(Repo(top / below)):
        path = f"{below}/{name}" if below else name
        installed = _is_inside(top, path) and os.path.lexists(top / path / ".git")
        yield Subdataset(path, installed)
        if installed:
            yield from subdatasets(top, path)


def _is_inside(top: Path, path: str) -> bool:
    """Return whether ``path`` leads to a place in the tree itself: through no symlink, and not upwards."""
    parts = Path(path).parts
    if Path(path).is_absolute() or ".." in parts or ".git" in parts:
        return False
    return not any((top / Path(*parts[:depth])).is_symlink() for depth in range(1, len(parts) + 1))


def commits_since(tree: Path, base: Sha) -> tuple[Sha, ...]:
    """Return what was committed in the repository at ``tree`` after ``base``, oldest first.

    Of what was merged in, the merge alone counts.
    """
    listing = Repo(tree).git("rev-list", "--first-parent", "--reverse", f"{base}..HEAD")
    return tuple(Sha(commit) for commit in listing.split())


class AskedChanges:
    """Git at work at what differs in the repository at ``folder``, of subdatasets only where they stand.

    ``env`` says what git shall ignore besides its usual. In a large one what git tracks and what it does not
    are looked at side by side, each of which takes about half of the time of `git status`; not so ``by_one``,
    where many others are looked at meanwhile. ``scope``: nothing can differ elsewhere.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], by_one: bool = False, scope: Scope | None = None
    ) -> None:
        self._folder, self._env, self._scope = folder, env, scope
        repo = Repo(folder)
        with ExitStack() as undo:

            def ask(*words: str) -> GitAsking:
                return undo.enter_context(repo.ask(*words, env={**env, _LITERAL: "1"} if scope else env))

            self._others = self._staged = None
            if scope is not None:
                self._status = ask(*_STATUS, "--untracked-files=no", "--", *scope.tracked)
                self._staged = ask(*_STAGED)
                self._others = ask(*_OTHERS, "--", *scope.others) if scope.others else None
            elif not by_one and is_large(repo):
                self._status = ask(*_STATUS, "--untracked-files=no")
                self._others = ask(*_OTHERS)
            else:
                self._status = ask(*_STATUS, "--untracked-files=all")
            self._gits = undo.pop_all()

    def answer(self) -> Changes:
        """Return what differs; raises :class:`WtwatchError` as git does."""
        found = parse_status(self._status.answer())
        if self._scope is not None and not self._is_all(found, self._scope):
            return _all_in(self._folder, self._env)
        if self._others is None:
            return found
        names = sorted(filter(None, self._others.answer().split("\0")), key=os.fsencode)
        return found._replace(entries=(*found.entries, *(Change(name, "?", "?") for name in names)))

    def _is_all(self, found: Changes, scope: Scope) -> bool:
        """Return whether nothing can differ elsewhere: by another commit, index or `.gitignore`."""
        staged = self._staged.answer() if self._staged is not None else ""
        ignores = any(Path(change.path).name == ".gitignore" for change in found.entries)
        return found.head == scope.head and not staged and not ignores

    def close(self) -> None:
        """End what is still at work."""
        self._gits.close()


def is_large(repo: Repo) -> bool:
    """Return whether a work tree has so many files that a look at all of them is worth some trouble."""
    return _size(repo.git_dir() / "index") >= LARGE


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # a repository without a commit
        return 0


def changes_in(folder: Path, env: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what differs in the repository at ``folder`` (not in its subdatasets) from HEAD."""
    return _all_in(folder, env).entries


def _all_in(folder: Path, env: Mapping[str, str]) -> Changes:
    asked = AskedChanges(folder, env)
    try:
        return asked.answer()
    finally:
        asked.close()


_KEY = re.compile(r"(?:\.\./)*\.git/annex/objects/(?:.*/)?([^/\n]+)$")


def unlocked(folder: Path, changed: Sequence[Change]) -> dict[str, Path]:
    """Return the annexed paths that were unlocked, without the index holding other content, and the content.

    ``git annex unlock`` puts a pointer to the key into the index where HEAD has a symlink to it
    (https://git-annex.branchable.com/internals/pointer_file/); a copy over the symlink leaves the index.
    """
    typed = [change for change in changed if "T" in (change.staged, change.unstaged)]
    found = [change for change in typed if change.in_head[0] == "120000"]
    targets = _targets(Repo(folder), [change.in_head[1] for change in found])
    keys = [_KEY.match(target) for target in targets]
    return {
        change.path: (folder / change.path).parent / target
        for change, target, key in zip(found, targets, keys, strict=True)
        if key and change.in_index[1] in (change.in_head[1], _pointer(key[1], len(change.in_index[1])))
    }


def _pointer(key: str, digits: int) -> Sha:
    """Return the blob of a pointer to a key."""
    return _blob_id(f"/annex/objects/{key}\n", digits)


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
    import hashlib  # late: see wtwatch.doors.digests

    content = text.encode("utf-8", "surrogateescape")
    digest = hashlib.new("sha1" if digits == 40 else "sha256", b"blob %d\0" % len(content))
    digest.update(content)
    return Sha(digest.hexdigest())
