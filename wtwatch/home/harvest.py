"""What commits bring: jobs, files and bytes, by job and by folder."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, GitAsking, Repo
from wtwatch.home import differences
from wtwatch.tree.bytewise import LINK, NOTHING
from wtwatch.tree.checkout import Change
from wtwatch.words.model import Sha

RUN = "[DATALAD RUNCMD]"
"""How the message begins of a commit that DataLad made of a run."""

_IN_ANNEX = b"annex/objects/"

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


class _File(NamedTuple):
    path: str
    size: int
    job: str


class _Told(NamedTuple):
    """What `git log` tells of a range: subjects, oldest first, who wrote a path last, and gitlinks."""

    subjects: tuple[str, ...] = ()
    wrote: Mapping[str, str] = {}
    gitlinks: Mapping[str, tuple[Sha, ...]] = {}


class Apart(NamedTuple):
    """How many commits of the other branch are lacking here, and the other way round.

    ``oldest`` is when the first of those was made that are lacking here, in seconds since 1970.
    """

    ahead: int = 0
    behind: int = 0
    oldest: int | None = None


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
    told = _Told()
    for path, source, commit in new:
        inside = _look(Repo(source), None, commit, commit)[1]
        found += [file._replace(path=f"{path}/{file.path}") for file in inside]
    for path, ours, theirs, target in steps:
        told, files = _look(Repo(repo_path / path), ours, theirs, target)
        found += [file._replace(path=f"{path}/{file.path}") for file in files] if path else files
    return _harvest(told, found)


def _look(repo: Repo, ours: Sha | None, theirs: Sha, target: Sha) -> tuple[_Told, list[_File]]:
    """Return what is told of the commits of a range, and the files that come with ``target`` in the end.

    Without ``ours`` that is the whole history, and all files.
    """
    raw = ("--raw", "-r", "-z", "--no-renames", "--no-abbrev", "--diff-filter=AMT")
    span = f"{ours}..{theirs}" if ours else theirs
    with repo.ask("log", "--reverse", "--format=%x01%H%x00%s", *raw, span) as telling:
        changes = differences.between(repo, ours, target) if ours else differences.whole(repo, theirs)
        files = [change for change in changes if change.mode_after not in (NOTHING, GITLINK)]
        sizes = _sizes(repo, files)
        told = _told(iter(telling.answer().split("\0")))
    wrote = told.wrote
    return told, [_File(file.path, sizes[file.after], wrote.get(file.path, "")) for file in files]


def _mode_and_blob(facts: str) -> tuple[str, Sha]:
    """Read what git says of a file in a line of ``--raw``: the mode and the blob that it has then."""
    _, mode, _, blob, _ = facts.split(" ")
    return mode, Sha(blob)


def _told(fields: Iterator[str]) -> _Told:
    """Read `git log`: for each commit a field with its id and one with its subject, then its changes."""
    subjects: list[str] = []
    wrote: dict[str, str] = {}
    links: dict[str, dict[Sha, None]] = {}
    for field in fields:
        if field.startswith("\1"):
            subjects.append(next(fields))
        elif field:
            path = next(fields)
            wrote[path] = subjects[-1]
            mode, commit = _mode_and_blob(field)
            if mode == GITLINK:
                links.setdefault(path, {})[commit] = None
    return _Told(tuple(subjects), wrote, {path: tuple(found) for path, found in links.items()})


def _harvest(told: _Told, files: Sequence[_File]) -> Harvest:
    of_jobs = [file for file in files if file.job.startswith(RUN)]
    return Harvest(
        jobs=sum(subject.startswith(RUN) for subject in told.subjects),
        files=len(files),
        size=sum(file.size for file in files),
        commits=told.subjects,
        by_job=_grouped((file.job.removeprefix(RUN).strip(), file) for file in of_jobs),
        by_folder=_grouped((folder, file) for folder, file in _in_folders(files)),
        gitlinks=told.gitlinks,
    )


def _grouped(named: Iterable[tuple[str, _File]]) -> tuple[Brought, ...]:
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for name, file in named:
        files[name] += 1
        sizes[name] += file.size
    return tuple(Brought(name, number, sizes[name]) for name, number in files.items())


def _in_folders(files: Sequence[_File]) -> Iterator[tuple[str, _File]]:
    """Yield each file with the folder that it counts to: one level below what all have in common."""
    places = [file.path.rpartition("/")[0] for file in files]
    folders = {place: place.split("/") if place else [] for place in set(places)}
    common = 0
    while len({tuple(folder[: common + 1]) for folder in folders.values()}) == 1 and all(
        len(folder) > common for folder in folders.values()
    ):
        common += 1
    names = {place: "/".join([*folder[: common + 1], ""]) or "./" for place, folder in folders.items()}
    for place, file in zip(places, files, strict=True):
        yield names[place], file


def _sizes(repo: Repo, files: Sequence[Change]) -> dict[Sha, int]:
    """Return the bytes of the content of files, whether it is in git or in the annex."""
    from concurrent.futures import ThreadPoolExecutor

    links = {file.after for file in files if file.mode_after == LINK}
    plain = {file.after for file in files if file.mode_after != LINK} - links
    with ThreadPoolExecutor(1) as beside:  # git reads some while others are asked for
        of_links = beside.submit(_sizes_in_annex, repo, links)
        sizes = repo.sizes(plain) if plain else {}
        short = {blob for blob, size in sizes.items() if size in _POINTER_SIZES}
        return sizes | _sizes_in_annex(repo, short) | of_links.result()


def _sizes_in_annex(repo: Repo, blobs: Collection[Sha]) -> dict[Sha, int]:
    if not blobs:
        return {}
    return {blob: _size_in_annex(text, len(text)) for blob, text in repo.contents(blobs).items()}


def _size_in_annex(text: bytes, otherwise: int) -> int:
    """Return the size that the key of an annexed file names (git-annex's key format), if it is one.

    ``text`` is what git has of the file: a link into the annex, or a pointer.
    """
    target = text.split(b"\n", 1)[0]
    if _IN_ANNEX not in target:
        return otherwise
    for part in target.rsplit(b"/", 1)[-1].split(b"-"):
        if part[:1] == b"s" and part[1:].isdigit():
            return int(part[1:])
    return otherwise
