"""What was written on a run branch since it and a target were one, by jobs or by hand, not by wtwatch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.save import SIGN
from wtwatch.words.model import Sha

TARGET, CODE, TREE = "Brought", "Code", "Tree"
"""The trailers of a bring (git-interpret-trailers(1)): whose tree it has, whose code, which it is."""

_RAW = ("--raw", "-r", "-z", "--no-renames", "--no-abbrev")
_TRAILERS = "%x1f".join(
    f"%(trailers:key={key},valueonly,separator=%x20)" for key in (SIGN.partition(":")[0], TARGET, CODE, TREE)
)


class RunBranch(NamedTuple):
    """A run branch: its repository, its newest commit, and the commit of main's at which it began."""

    repo: Repo
    tip: Sha
    fork: Sha


class Entry(NamedTuple):
    """What a tree has at a path: its mode, and the id of a blob or of a subdataset's commit."""

    mode: str
    sha: Sha


class Bring(NamedTuple):
    """A commit that wtwatch made of a bring, as it was made."""

    commit: Sha
    target: Sha
    code: Sha | None


class Wrote(NamedTuple):
    """What the commits of a run branch after ``base`` wrote, newest first, those of wtwatch apart.

    ``base`` is the newest commit of the branch that the target holds, or where the branch began.
    """

    base: Sha
    paths: tuple[str, ...]
    brings: tuple[Bring, ...]


def since(branch: RunBranch, target: Sha) -> Wrote:
    """Return what was written on a run branch that ``target`` does not hold.

    A commit of wtwatch is known by its last line *and* by the tree that it says it has: one that somebody
    amended is theirs. Of a merge that was made by hand counts what differs from both sides.
    """
    base = held(branch, target)
    paths: dict[str, None] = {}
    brings = []
    for commit, bring, changed in _commits(branch, "-c", base):
        if bring is None:
            paths |= dict.fromkeys(path for path, _ in changed)
        elif bring.target:
            brings.append(bring._replace(commit=commit))
    return Wrote(base, tuple(sorted(paths)), tuple(brings))


def held(branch: RunBranch, target: Sha) -> Sha:
    """Return the newest commit on the first parents of a run branch that ``target`` holds; else its fork."""
    words = ("rev-list", "--first-parent", "--parents", branch.tip, "--not", target)
    lines = branch.repo.git(*words).splitlines()
    if not lines:
        return branch.tip
    parents = [Sha(parent) for parent in lines[-1].split()[1:2]]
    return next((parent for parent in parents if branch.repo.is_ancestor(parent, target)), branch.fork)


def had(branch: RunBranch, base: Sha, path: str, entry: Entry) -> bool:
    """Return whether a commit after ``base`` that is not wtwatch's made ``path`` be ``entry``."""
    for _, bring, changed in _commits(branch, "-m", base, path):
        if bring is None and (path, entry) in changed:
            return True
    return False


def entries(repo: Repo, tree: Sha, paths: Sequence[str]) -> dict[str, Entry]:
    """Return what ``tree`` has at ``paths``, of those where it has a file or a subdataset."""
    found = {}
    for start in range(0, len(paths), 1000):  # a command line has its limits
        some = paths[start : start + 1000]
        literal = {"GIT_LITERAL_PATHSPECS": "1"}
        listing = repo.git("ls-tree", "-r", "-z", "--full-tree", tree, "--", *some, env=literal)
        for line in filter(None, listing.split("\0")):
            facts, path = line.split("\t", 1)
            mode, _, sha = facts.split()
            found[path] = Entry(mode, Sha(sha))
    return found


def _commits(
    branch: RunBranch, merges: str, base: Sha, *paths: str
) -> Iterator[tuple[Sha, Bring | None, list[tuple[str, Entry | None]]]]:
    """Yield each commit on the first parents after ``base``: its id, what it says if ours, its changes."""
    shape = f"--format=%x01%H%x1f%T%x1f{_TRAILERS}"
    known = {"GIT_LITERAL_PATHSPECS": "1"}
    which = (branch.tip, "--not", base, "--", *paths)
    said = branch.repo.git("log", "--first-parent", merges, *_RAW, shape, *which, env=known)
    fields = iter(said.split("\0"))
    commit: Sha | None = None
    bring: Bring | None = None
    changed: list[tuple[str, Entry | None]] = []
    for field in fields:
        text = field.lstrip("\n")
        if text.startswith("\1"):
            if commit is not None:
                yield commit, bring, changed
            name, tree, signed, target, code, named = text[1:].split("\x1f")
            commit, changed = Sha(name), []
            ours = signed.strip() == SIGN.partition(": ")[2] and named.strip() == tree
            bring = Bring(commit, Sha(target.strip()), Sha(code.strip()) or None) if ours else None
        elif text.startswith(":"):
            changed.append((next(fields), _after(text)))
    if commit is not None:
        yield commit, bring, changed


def _after(raw: str) -> Entry | None:
    """Read what a path is after a change, off the facts of a line of ``--raw`` (git-diff-tree(1)).

    One colon and two modes and ids for one parent; of a merge, as many colons as parents.
    """
    parents = len(raw) - len(raw.lstrip(":"))
    words = raw.lstrip(":").split(" ")
    mode, sha = words[parents], words[2 * parents + 1]
    return None if mode == NOTHING else Entry(mode, Sha(sha))


def below(path: str, folders: Iterable[str]) -> bool:
    """Return whether ``path`` is one of ``folders`` or lies in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
