"""What was written on a run branch since it and a target were one, by jobs or by hand, not by wtwatch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import GitAsking, Repo
from wtwatch.tree import named
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.save import SIGN
from wtwatch.words.model import Sha

TARGET, CODE, TREE = "Brought", "Code", "Tree"
"""The trailers of a bring (git-interpret-trailers(1)): whose tree it has, whose code, which it is."""

_RAW = ("--raw", "-r", "-z", "--no-renames", "--no-abbrev")
_TRAILERS = (SIGN.partition(":")[0], TARGET, CODE, TREE)
_FACTS = "%H%x1f%P%x1f%T" + "".join(
    f"%x1f%(trailers:key={key},valueonly,separator=%x20)" for key in _TRAILERS
)
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class RunBranch(NamedTuple):
    """A run branch: its repository, its newest commit, and the commit of main's at which it began."""

    repo: Repo
    tip: Sha
    fork: Sha


class Entry(NamedTuple):
    """What a tree has at a path: its mode, and the id of a blob or of a subdataset's commit."""

    mode: str
    sha: Sha


Both = tuple[Entry | None, Entry | None]
"""What two commits have at a path, ``None`` where it is not there."""

Found = Mapping[str, frozenset[Entry | None]]
"""All that paths were made in some commits, ``None`` where one was deleted."""

_Written = Sequence[tuple[str, Entry | None]]
"""What a commit made of paths."""


class Bring(NamedTuple):
    """A commit that wtwatch made of a bring, as it was made."""

    commit: Sha
    target: Sha
    code: Sha | None


class Wrote(NamedTuple):
    """What the commits of a run branch after ``base`` wrote, those of wtwatch apart.

    ``base`` is the newest commit of the branch that the target holds, or where the branch began. ``brings``
    are wtwatch's, newest first; ``came`` are all commits that came in since, newest first, by a bring or by a
    merge that somebody made; ``was`` is what each path was made, ``brought`` what brings made of those last.
    ``by_then`` is what it was made before the newest of the commits came, ``lately`` what since a bring
    changed it; ``later``, where that is known, how many of them came after it was written last.
    """

    base: Sha
    paths: tuple[str, ...]
    brings: tuple[Bring, ...]
    came: tuple[Sha, ...]
    was: Found
    brought: Mapping[str, Entry | None]
    by_then: Found
    lately: Found
    later: Mapping[str, int]


class _Commit(NamedTuple):
    """A commit as git-log(1) shows it: its parents, its tree, what its trailers say, and what it changed."""

    id: Sha
    parents: tuple[Sha, ...]
    tree: Sha
    bring: Bring | None
    named: Sha | None
    changed: tuple[tuple[str, Entry | None], ...]


_MANY = 500
"""Paths changed by a commit from which on that is not remembered."""

_known: Memory[Sha, _Commit] = Memory(1000)
"""Commits of run branches and of main's, which never change."""

_bases: Memory[tuple[Sha, Sha], Sha] = Memory(1000)
"""The newest commit of a run branch that the target of a bring held, by the bring and the branch's fork."""


_shared: Memory[tuple[Sha, Sha], tuple[Sha, ...]] = Memory(100)
"""Where two histories part, which never changes, by the newest commits of both, sorted."""

_listed: Memory[tuple[Sha, Sha, Sha], tuple[Sha, ...]] = Memory(100)
"""What a run branch has beyond a target, newest first, by its tip, the target, and its fork."""


def since(branch: RunBranch, target: Sha) -> Wrote:
    """Return what was written on a run branch that neither ``target`` holds nor where the branch began.

    A commit of wtwatch is known by its last line and by the tree that it says it has. If somebody amended it,
    what differs from that tree is theirs. Of a merge that was made by hand counts what differs from all its
    parents, and what was written on those that ``target`` does not hold.
    """
    known = _beyond(branch, target)
    theirs = {name: _by_others(branch.repo, commit) for name, commit in known.items()}
    was = _found(theirs.values())
    brings: list[Bring] = []
    came: list[Sha] = []
    brought: dict[str, Entry | None] = {}
    later: dict[str, int] = {}
    lately: list[_Written] = []
    aside = set(known)
    at = branch.tip
    while at in known:
        commit = known[at]
        aside.discard(at)
        written = theirs[at] if came else theirs.pop(at)
        lately.append([one for one in written if one[0] not in brought])
        for path, _ in written:
            later.setdefault(path, len(came))
        if commit.bring:
            brings.append(commit.bring)
            came.append(commit.bring.target)
            brought = {path: entry for path, entry in commit.changed if path in was} | brought
        came += commit.parents[1:]
        at = commit.parents[0] if commit.parents else branch.fork
    lately += [[one for one in theirs[commit] if one[0] not in brought] for commit in aside]
    by_then = _found(theirs.values())
    facts = (was, brought, by_then, _found(lately), later)
    return Wrote(at, tuple(sorted(was)), tuple(brings), tuple(came), *facts)


def note(branch: RunBranch, bring: Bring, base: Sha, tree: Sha, changes: Iterable[tuple[str, Both]]) -> None:
    """Note a commit that was just made on a run branch, so that git need not be asked about it."""
    after = tuple((path, new) for path, (_, new) in changes)
    if len(after) < _MANY:
        _known[bring.commit] = _Commit(bring.commit, (branch.tip,), tree, bring, tree, after)
    _bases[bring.commit, branch.fork] = base
    listed = _listed.get((branch.tip, bring.target, branch.fork))
    if listed is not None:
        parted = shared(branch.repo, branch.tip, bring.target)
        _shared[min(bring.commit, bring.target), max(bring.commit, bring.target)] = parted
        _listed[bring.commit, bring.target, branch.fork] = (bring.commit, *listed)


def noted_base(branch: RunBranch, bring: Bring) -> Sha | None:
    """Return what :func:`held` says of the target of a bring, if that was noted when it was made.

    No commit that came after it can be in its target.
    """
    return _bases.get((bring.commit, branch.fork))


def held(branch: RunBranch, target: Sha) -> Sha:
    """Return the newest commit on the first parents of a run branch that ``target`` holds; else its fork."""
    known = (target, branch.fork, *shared(branch.repo, branch.tip, target))
    words = ("rev-list", "--first-parent", "--parents", branch.tip, "--not", *known)
    lines = branch.repo.git(*words).splitlines()
    if not lines:
        return branch.tip
    return next((Sha(parent) for parent in lines[-1].split()[1:2]), branch.fork)


def shared(repo: Repo, one: Sha, other: Sha) -> tuple[Sha, ...]:
    """Return where two histories part (git-merge-base(1)), the best first; git is asked once.

    To be named to git with what a list is to leave out: it goes by the dates of commits, and shows more than
    it was told to where a clock was wrong.
    """
    one, other = sorted((one, other))
    known = _shared.get((one, other))
    if known is None:
        known = tuple(map(Sha, repo.git("merge-base", "--all", one, other, ok=(0, 1, 128)).split()))
        if known:  # else one of them may not be here yet
            _shared[one, other] = known
    return known


def releases(repo: Repo, commit: Sha) -> Iterator[Sha]:
    """Yield the releases whose code came to the first parents of a commit, newest first."""
    words = ("log", "--first-parent", "--fixed-strings", f"--grep={SIGN}", f"--format={_FACTS}", commit)
    for line in filter(None, repo.git(*words).split("\n")):
        bring = _read(repo, line, []).bring
        if bring and bring.code:
            yield bring.code


def made(repo: Repo, target: Sha, base: Sha) -> Found:
    """Return all that paths were made in the commits that ``target`` has beyond ``base``."""
    beyond = repo.git("rev-list", target, "--not", base).split()
    return _found(commit.changed for commit in _shown(repo, beyond).values())


def made_since(repo: Repo, target: Sha, base: Sha, known: Sequence[Sha]) -> Found:
    """Return all that paths were made in the commits that ``target`` has since it took ``base`` in.

    Those that ``known`` commits hold are left out, of which git may lack some.
    """
    beyond = repo.git("rev-list", "--ignore-missing", target, "--not", base, *known).split()
    since = set(repo.git("rev-list", "--ancestry-path", target, "--not", base).split())
    those = [commit for commit in beyond if commit in since] if since else beyond  # none: it never took it in
    return _found(commit.changed for commit in _shown(repo, those).values())


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


def ask_differing(repo: Repo, old: Sha, new: Sha, *paths: str) -> GitAsking:
    """Start to ask by what two trees differ, below ``paths`` if any are named; see :func:`differing`."""
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    return repo.ask("diff-tree", *_RAW, old, new, "--", *paths, env=literal)


def differing(asked: GitAsking) -> dict[str, Both]:
    """Return what both trees have at the paths at which they differ."""
    with asked:
        fields = asked.answer().split("\0")
    return {path: _both(raw) for raw, path in zip(fields[::2], fields[1::2], strict=False)}


def differing_in_each(repo: Repo, pairs: Sequence[tuple[Sha, Sha]]) -> list[dict[str, Both] | None]:
    """Return what both commits of each pair, old and new, have at the paths at which they differ, by one git.

    ``None`` where git has not the new one (any more).
    """
    if all(_have_one_tree(repo, *pair) for pair in pairs):
        return [{} for _ in pairs]
    told = "".join(f"{new} {old}\n" for old, new in pairs)  # as if the old one were its parent
    fields = iter(repo.git("diff-tree", *_RAW, "--stdin", "--always", stdin=told).split("\0"))
    found: list[tuple[str, dict[str, Both]]] = []
    for field in fields:
        if field.startswith(":"):
            found[-1][1][next(fields)] = _both(field)
        elif field:
            found.append((field, {}))
    answers: list[dict[str, Both] | None] = []
    for _, new in pairs:
        answers.append(found.pop(0)[1] if found and found[0][0] == new else None)
    return answers


def _have_one_tree(repo: Repo, one: Sha, other: Sha) -> bool:
    found, also = named.of(repo, one), named.of(repo, other)
    return found is not None and also is not None and found.tree == also.tree


def below(path: str, folders: Iterable[str]) -> bool:
    """Return whether ``path`` is one of ``folders`` or lies in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _found(several: Iterable[_Written]) -> Found:
    found: dict[str, set[Entry | None]] = {}
    for path, entry in (one for written in several for one in written):
        found.setdefault(path, set()).add(entry)
    return {path: frozenset(entries) for path, entries in found.items()}


def _by_others(repo: Repo, commit: _Commit) -> _Written:
    """Return what somebody else than wtwatch made paths in a commit."""
    if commit.bring is None:
        return commit.changed
    if commit.named == commit.tree or commit.named is None:
        return ()
    amended = differing(ask_differing(repo, commit.named, commit.tree))
    return [(path, after) for path, (_, after) in amended.items()]


def _beyond(branch: RunBranch, target: Sha) -> dict[Sha, _Commit]:
    """Return the commits of a run branch beyond ``target`` and its fork; git shows each but once."""
    return _shown(branch.repo, _beyond_by_name(branch, target))


def _shown(repo: Repo, commits: Iterable[str]) -> dict[Sha, _Commit]:
    """Return what git shows of commits, in their order."""
    listed = [Sha(commit) for commit in commits]
    found = {commit: known for commit in listed if (known := _known.get(commit))}
    unknown = [commit for commit in listed if commit not in found]
    if unknown:
        for commit in _commits(repo, "-c", "--no-walk=unsorted", "--stdin", stdin=unknown):
            found[commit.id] = commit
            if len(commit.changed) < _MANY:
                _known[commit.id] = commit
    return {commit: found[commit] for commit in listed}


def _beyond_by_name(branch: RunBranch, target: Sha) -> tuple[Sha, ...]:
    asked = (branch.tip, target, branch.fork)
    known = _listed.get(asked)
    if known is None:
        left_out = (target, branch.fork, *shared(branch.repo, branch.tip, target))
        found = branch.repo.git("rev-list", branch.tip, "--not", *left_out)
        known = tuple(map(Sha, found.splitlines()))
        if len(known) < _MANY:
            _listed[asked] = known
    return known


def _commits(repo: Repo, *which: str, stdin: Iterable[Sha] = ()) -> Iterator[_Commit]:
    """Yield commits with what they changed, of a merge what differs from all parents."""
    told = "".join(f"{commit}\n" for commit in stdin)
    fields = iter(repo.git("log", *_RAW, f"--format=%x01{_FACTS}", *which, stdin=told or None).split("\0"))
    head = ""
    changed: list[tuple[str, Entry | None]] = []
    for field in fields:
        text = field.lstrip("\n")
        if text.startswith("\1"):
            if head:
                yield _read(repo, head, changed)
            head, changed = text[1:], []
        elif text.startswith(":"):
            changed.append((next(fields), _after(text)))
    if head:
        yield _read(repo, head, changed)


def _read(repo: Repo, head: str, changed: list[tuple[str, Entry | None]]) -> _Commit:
    name, parents, tree, *said = head.split("\x1f")
    commit = _Commit(Sha(name), tuple(map(Sha, parents.split())), Sha(tree), None, None, tuple(changed))
    if len(said) != 4 or said[0].strip() != SIGN.partition(": ")[2]:
        return commit
    target, code, named = (Sha(word.strip()) for word in said[1:])
    if not (_ID.fullmatch(target) and _ID.fullmatch(named)):
        return commit
    if named != tree and not repo.succeeds("cat-file", "-e", f"{named}^{{tree}}"):
        return commit
    return commit._replace(bring=Bring(commit.id, target, code or None), named=named)


def _both(raw: str) -> tuple[Entry | None, Entry | None]:
    before, after, old, new, _ = raw[1:].split(" ")
    return (
        None if before == NOTHING else Entry(before, Sha(old)),
        None if after == NOTHING else Entry(after, Sha(new)),
    )


def _after(raw: str) -> Entry | None:
    """Read what a path is after a change, off the facts of a line of ``--raw`` (git-diff-tree(1)).

    One colon and two modes and ids for one parent; of a merge, as many colons as parents.
    """
    parents = len(raw) - len(raw.lstrip(":"))
    words = raw.lstrip(":").split(" ")
    mode, sha = words[parents], words[2 * parents + 1]
    return None if mode == NOTHING else Entry(mode, Sha(sha))
