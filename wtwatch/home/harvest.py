"""What commits bring: jobs, files and bytes, counted in one repository."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GitAsking, Repo, history
from wtwatch.words.model import Sha

_MARK = "[DATALAD RUNCMD]"
_SYMLINK = "120000"

_LONGEST_POINTER = 1024
"""Bytes of the longest file that may be a pointer of git-annex: its key is a file's name, of 255 at most."""


class _Blob(NamedTuple):
    mode: str
    sha: Sha


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
    shape = ("-r", "-z", "--raw", "--no-renames", "--diff-filter=AMT", "--ignore-submodules")
    fields = repo.git("diff-tree", *shape, base, theirs).split("\0")
    files = [_Blob(line.split()[1], Sha(line.split()[3])) for line in fields[::2] if line]
    with history(repo.path) as reader:
        commits = [str(commit.summary) for commit in reader.commits(f"{ours}..{theirs}")]
    jobs = sum(summary.startswith(_MARK) for summary in commits)
    return Harvest(jobs, len(files), _size(repo, files), tuple(reversed(commits)))


def total(repo_path: Path, steps: list[tuple[str, Sha, Sha]]) -> Harvest:
    """Return what several datasets below ``repo_path`` bring together; the last one names the commits."""
    found = [count(Repo(repo_path / path), ours, theirs) for path, ours, theirs in steps]
    if not found:
        return Harvest()
    files, size = sum(one.files for one in found), sum(one.size for one in found)
    return Harvest(sum(one.jobs for one in found[-1:]), files, size, found[-1].commits)


def _size(repo: Repo, files: Sequence[_Blob]) -> int:
    """Return the bytes of the content of files, whether it is in git or in the annex."""
    sizes = repo.sizes({file.sha for file in files})
    leading = {file.sha for file in files if file.mode == _SYMLINK or sizes[file.sha] <= _LONGEST_POINTER}
    for sha, text in repo.contents(leading).items():
        sizes[sha] = _size_in_annex(text, sizes[sha])
    return sum(sizes[file.sha] for file in files)


def _size_in_annex(text: bytes, otherwise: int) -> int:
    """Return the size that the key of an annexed file names (git-annex's key format), if it is one.

    ``text`` is what git has of the file: a link into the annex, or a pointer.
    """
    target = text.split(b"\n", 1)[0]
    if b"annex/objects/" not in target:
        return otherwise
    for part in target.rsplit(b"/", 1)[-1].split(b"-"):
        if part[:1] == b"s" and part[1:].isdigit():
            return int(part[1:])
    return otherwise
