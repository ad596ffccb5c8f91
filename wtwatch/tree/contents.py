"""What backups hold, file by file: of one, or of many by so many gits whatever their number."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree import diff, parts
from wtwatch.tree.bytewise import NOTHING, Entry
from wtwatch.tree.parts import CONFLICT, STAGED
from wtwatch.words.model import Sha

_Pair = tuple[str, str]  # two trees


class Holding(NamedTuple):
    """The paths that a backup holds, and the bytes of their files as git has them."""

    paths: tuple[str, ...]
    size: int


def changed(repo: Repo, old: Sha, new: Sha) -> list[Entry]:
    """Return the files of ``new`` that differ from ``old``; those that are gone have the mode of nothing."""
    fields = repo.git("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new).split("\0")
    return list(_entries(fields))


def _entries(fields: Sequence[str]) -> Iterator[Entry]:
    for line, path in zip(fields[::2], fields[1::2], strict=False):
        facts = line.split()
        yield Entry(facts[1], Sha(facts[3]), path)


def whole(repo: Repo, commit: Sha) -> list[Entry]:
    """Return all files of a commit."""
    lines = (line.split("\t", 1) for line in repo.git("ls-tree", "-r", "-z", commit).split("\0") if line)
    return [Entry(facts.split()[0], Sha(facts.split()[2]), path) for facts, path in lines]


def changed_files(repo: Repo, commit: Sha) -> list[str]:
    """Return the paths in which a backup differs from the commit that the run tree was parked at.

    Also those that were staged alone, and changed back in the files.
    """
    return changed_paths(repo, Sha(f"{commit}^1"), commit, parts.parts_of(repo, commit))


def changed_paths(repo: Repo, base: Sha, files: Sha, pieces: dict[str, Sha]) -> list[str]:
    """Return these paths of a backup that has not become a commit yet."""
    found = [entry.path for entry in changed(repo, base, files)]
    if STAGED in pieces:
        found += [entry.path for entry in changed(repo, base, pieces[STAGED])]
    if CONFLICT in pieces:
        found += map(_without_side, whole(repo, pieces[CONFLICT]))
    return list(dict.fromkeys(found))


def _without_side(entry: Entry) -> str:
    return entry.path.split("/", 1)[1]  # below the names of their sides


class _Commit(NamedTuple):
    tree: str
    parents: tuple[Sha, ...]
    subject: str


def of_many(repo: Repo, backups: Sequence[Sha]) -> dict[Sha, Holding]:
    """Return what each of these commits of backups holds; see :func:`changed_files`."""
    if not backups:
        return {}
    commits = _commits(repo, backups)
    commits |= _commits(repo, {parent for backup in backups for parent in commits[backup].parents})
    empty = repo.git("hash-object", "-t", "tree", "--stdin", stdin="")
    pairs = {backup: list(_pairs(commits, backup, empty)) for backup in backups}
    found = _differences(repo, {pair for some in pairs.values() for pair in some})
    blobs = {entry.blob for some in found.values() for entry in some if _has_bytes(entry)}
    sizes = repo.sizes(blobs) if blobs else {}
    return {backup: _holding(found, pairs[backup], empty, sizes) for backup in backups}


def _holding(
    found: dict[_Pair, list[Entry]], pairs: Iterable[_Pair], empty: str, sizes: dict[Sha, int]
) -> Holding:
    paths, blobs = [], []
    for pair in pairs:
        entries = found.get(pair, [])
        blobs += [entry.blob for entry in entries if _has_bytes(entry)]
        paths += [_without_side(entry) if pair[0] == empty else entry.path for entry in entries]
    return Holding(tuple(dict.fromkeys(paths)), sum(sizes[blob] for blob in dict.fromkeys(blobs)))


def _has_bytes(entry: Entry) -> bool:
    return entry.mode not in (NOTHING, GITLINK)


def _commits(repo: Repo, wanted: Iterable[Sha]) -> dict[Sha, _Commit]:
    asked = "".join(f"{sha}\n" for sha in wanted)
    if not asked:  # without a commit git would show HEAD
        return {}
    shape = "--format=%H%x00%T%x00%P%x00%s%x00"
    fields = repo.git("log", "--no-walk=unsorted", "--stdin", shape, stdin=asked).split("\0")
    rows = zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return {
        Sha(sha.strip()): _Commit(tree, tuple(map(Sha, parents.split())), subject)
        for sha, tree, parents, subject in rows
    }


def _pairs(commits: dict[Sha, _Commit], backup: Sha, empty: str) -> Iterator[_Pair]:
    """Yield the pairs of trees of which the differences are what a backup holds."""
    made = commits[backup]
    base, *others = (commits[parent] for parent in made.parents)
    yield base.tree, made.tree
    for other in others:
        if other.subject == parts.SUBJECT + STAGED:
            yield base.tree, other.tree
        elif other.subject == parts.SUBJECT + CONFLICT:
            yield empty, other.tree


def _differences(repo: Repo, pairs: Iterable[_Pair]) -> dict[_Pair, list[Entry]]:
    """Return what differs in each pair of trees, as entries of the second; nothing where they are alike."""
    found = diff.of_pairs(repo, pairs)
    return {
        pair: [Entry(one.mode_after, one.after, one.path) for one in some] for pair, some in found.items()
    }
