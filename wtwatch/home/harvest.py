"""What commits bring: jobs, files and bytes, by job and by folder."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import GITLINK, GitAsking, Repo
from wtwatch.home import differences
from wtwatch.home.differences import Span
from wtwatch.tree.bytewise import LINK, NOTHING
from wtwatch.words.model import Sha

RUN = "[DATALAD RUNCMD]"
"""How the message begins of a commit that DataLad made of a run."""

_SIZE_IN_ANNEX = re.compile(rb"annex/objects/(?:.*/)?[^/\n-]+-s(\d+)-")
"""How what git has of an annexed file, a link or a pointer, names the size of its content.

A key is `BACKEND-sNUMBER--NAME`, with more numbers after the first ("Key format" of git-annex's internals).
"""

_NO_FILES = (NOTHING, GITLINK)

_POINTER_SIZES = range(len("/annex/objects/") + len("URL--x"), len("/annex/objects/") + 255 + len("\r\n") + 1)
"""Bytes that a pointer of git-annex may have: its key is a file's name, of 255 at most, with a backend's."""


class Brought(NamedTuple):
    """Files and bytes that one job, or one folder, brings."""

    what: str
    files: int
    size: int


class Harvest(NamedTuple):
    """Jobs, files and bytes that a range of commits brings, and the commits' subjects, oldest first.

    ``by_job`` has the jobs by their messages, those that brought files, each file with the last that wrote
    it; ``by_folder`` the folders. ``gitlinks`` are the commits that the range names for each subdataset.
    """

    jobs: int = 0
    files: int = 0
    size: int = 0
    commits: tuple[str, ...] = ()
    by_job: tuple[Brought, ...] = ()
    by_folder: tuple[Brought, ...] = ()
    gitlinks: Mapping[str, tuple[Sha, ...]] = {}


_File = tuple[str, int, str]
"""The path of a file, its size, and the message of the commit that wrote it last: plain, as they are many."""


class Apart(NamedTuple):
    """How many commits of the other branch are lacking here, and the other way round.

    ``oldest`` is when the first of those was made that are lacking here, in seconds since 1970.
    """

    ahead: int = 0
    behind: int = 0
    oldest: int | None = None


_apart: Memory[tuple[Sha, Sha], Apart] = Memory(1000)
"""By what two commits differ, which never changes."""


@contextmanager
def apart_asked(repo: Repo, ours: Sha | None, theirs: Sha | None) -> Iterator[Callable[[], Apart]]:
    """Start to ask by what two commits differ, once; what is yielded returns it."""
    known = _apart.get((ours, theirs)) if ours and theirs else Apart()
    if known is not None or not (ours and theirs):
        yield lambda: known or Apart()
        return
    with start_apart(repo, ours, theirs) as asking:

        def answer() -> Apart:
            found = _apart[ours, theirs] = apart(asking)
            return found

        yield answer


def start_apart(repo: Repo, ours: str, theirs: str) -> GitAsking:
    """Start to look by what two branches differ; pass the process to :func:`apart`."""
    return repo.ask("rev-list", "--left-right", "--timestamp", f"{ours}...{theirs}")


def apart(started: GitAsking) -> Apart:
    """Return by what ``theirs`` differs from ``ours``."""
    commits = started.answer(ok=(0, 128)).splitlines()  # none where one of them does not exist
    lacking = [int(commit.split(" ")[0]) for commit in commits if " >" in commit]
    return Apart(len(lacking), len(commits) - len(lacking), min(lacking, default=None))


def count(repo: Repo, ours: Sha, theirs: Sha) -> Harvest:
    """Return what ``theirs`` has that ``ours`` lacks; an annexed file counts with the size of its content."""
    return _harvest(*_look(repo, ours, theirs, theirs))


def total(
    repo_path: Path,
    steps: Sequence[tuple[str, Sha, Sha, Sha]],
    new: Sequence[tuple[str, Path, Sha]] = (),
) -> Harvest:
    """Return what several datasets below ``repo_path`` bring together; the last one names the commits.

    Each is a path, main's commit, that of the run branch, and the one that main is to be at. ``new`` are
    repositories that come as a whole: their paths, where they are now, and their commits.
    """
    found: list[_File] = []
    told = Span()
    for path, source, commit in new:
        inside = _look(Repo(source), None, commit, commit)[1]
        found += _below(path, inside)
    for path, ours, theirs, target in steps:
        told, files = _look(Repo(repo_path / path), ours, theirs, target)
        found += _below(path, files) if path else files
    return _harvest(told, found)


def _below(folder: str, files: Iterable[_File]) -> Iterator[_File]:
    return ((f"{folder}/{path}", size, job) for path, size, job in files)


def _look(repo: Repo, ours: Sha | None, theirs: Sha, target: Sha) -> tuple[Span, list[_File]]:
    """Return what is told of the commits of a range, and the files that come with ``target`` in the end.

    Without ``ours`` that is the whole history, and all files.
    """
    told = differences.span(repo, ours, theirs) if ours else differences.history(repo, theirs)
    changes = differences.between(repo, ours, target) if ours else differences.whole(repo, theirs)
    links = {blob for _, _, _, mode, blob in changes if mode == LINK}
    plain = {blob for _, _, _, mode, blob in changes if mode not in _NO_FILES} - links
    sizes = _sizes(repo, links, plain)
    wrote = told.wrote
    return told, [  # they may be many
        (path, sizes[blob], wrote.get(path, ""))
        for path, _, _, mode, blob in changes
        if mode not in _NO_FILES
    ]


def _harvest(told: Span, files: Sequence[_File]) -> Harvest:
    of_jobs, in_places = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for path, size, job in files:  # there may be many
        in_places[path.rpartition("/")[0]].append(size)
        of_jobs[job].append(size)
    folders, in_folders = _folders(in_places), defaultdict[str, list[int]](list)
    for place, sizes in in_places.items():
        in_folders[folders[place]] += sizes
    return Harvest(
        jobs=sum(subject.startswith(RUN) for subject in told.subjects),
        files=len(files),
        size=sum(map(sum, in_places.values())),
        commits=told.subjects,
        by_job=_grouped(
            (job.removeprefix(RUN).strip(), sizes) for job, sizes in of_jobs.items() if job.startswith(RUN)
        ),
        by_folder=_grouped(in_folders.items()),
        gitlinks=told.gitlinks,
    )


def _grouped(named: Iterable[tuple[str, list[int]]]) -> tuple[Brought, ...]:
    found = defaultdict[str, list[int]](list)
    for name, sizes in named:
        found[name] += sizes
    return tuple(Brought(name, len(sizes), sum(sizes)) for name, sizes in found.items())


def _folders(places: Iterable[str]) -> dict[str, str]:
    """Return for each folder that files lie in the one that it counts to.

    That is one level below what all have in common.
    """
    folders = {place: place.split("/") if place else [] for place in places}
    common = 0
    while len({tuple(folder[: common + 1]) for folder in folders.values()}) == 1 and all(
        len(folder) > common for folder in folders.values()
    ):
        common += 1
    return {place: "/".join([*folder[: common + 1], ""]) or "./" for place, folder in folders.items()}


def _sizes(repo: Repo, links: Collection[Sha], plain: Collection[Sha]) -> dict[Sha, int]:
    """Return the bytes of the content of blobs, whether it is in git or in the annex."""
    sizes = repo.sizes(plain) if plain else {}
    short = {blob for blob, size in sizes.items() if size in _POINTER_SIZES}
    return sizes | _sizes_in_annex(repo, short.union(links))


def _sizes_in_annex(repo: Repo, blobs: Collection[Sha]) -> dict[Sha, int]:
    if not blobs:
        return {}
    size = _SIZE_IN_ANNEX.search
    return {
        blob: int(found[1]) if (found := size(text)) else len(text)
        for blob, text in repo.contents(blobs).items()
    }
