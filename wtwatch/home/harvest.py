"""What commits bring: jobs, files and bytes, counted in one repository."""

from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GitAsking, Repo, history
from wtwatch.words.model import Sha

_MARK = "[DATALAD RUNCMD]"


class Harvest(NamedTuple):
    """Jobs, files and bytes that a range of commits brings, and the commits' subjects, oldest first."""

    jobs: int = 0
    files: int = 0
    size: int = 0
    commits: tuple[str, ...] = ()


def start_apart(repo: Repo, ours: str, theirs: str) -> GitAsking:
    """Start to count by how much two branches differ; pass the process to :func:`apart`."""
    return repo.ask("rev-list", "--left-right", "--count", f"{ours}...{theirs}")


def apart(repo: Repo, started: GitAsking) -> tuple[int, int]:
    """Return how many commits of ``theirs`` are lacking in ``ours``, and the other way round."""
    counts = started.answer(ok=(0, 128)).split()
    return (int(counts[1]), int(counts[0])) if counts else (0, 0)  # nothing: one of them does not exist


def count(repo: Repo, ours: Sha, theirs: Sha) -> Harvest:
    """Return what ``theirs`` has that ``ours`` lacks; an annexed file counts with the size of its content."""
    base = repo.git("merge-base", ours, theirs, ok=(0, 1)) or ours
    shape = ("-r", "-z", "--name-only", "--no-renames", "--diff-filter=AMT", "--ignore-submodules")
    paths = [path for path in repo.git("diff-tree", *shape, base, theirs).split("\0") if path]
    with history(repo.path) as reader:
        commits = [str(commit.summary) for commit in reader.commits(f"{ours}..{theirs}")]
        sizes = [_size(*reader.file(theirs, path)) for path in paths]
    jobs = sum(summary.startswith(_MARK) for summary in commits)
    return Harvest(jobs, len(sizes), sum(sizes), tuple(reversed(commits)))


def total(repo_path: Path, steps: list[tuple[str, Sha, Sha]]) -> Harvest:
    """Return what several datasets below ``repo_path`` bring together; the last one names the commits."""
    found = [count(Repo(repo_path / path), ours, theirs) for path, ours, theirs in steps]
    if not found:
        return Harvest()
    files, size = sum(one.files for one in found), sum(one.size for one in found)
    return Harvest(sum(one.jobs for one in found[-1:]), files, size, found[-1].commits)


def _size(size: int, annexed: str | None) -> int:
    """Return the bytes of a file's content; for an annexed one, as its key says (git-annex's key format)."""
    for part in (annexed or "").rsplit("/", 1)[-1].split("-"):
        if part[:1] == "s" and part[1:].isdigit():
            return int(part[1:])
    return size
