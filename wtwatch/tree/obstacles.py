"""What of the user's is in the way of a change of commit, or would be lost by it."""

import os
import stat
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wtwatch.doors import gitindex
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.porcelain import parse_status
from wtwatch.doors.repo import GITLINK, UNFILTERED, Repo
from wtwatch.tree import bytewise
from wtwatch.tree.bytewise import LINK, NOTHING
from wtwatch.tree.diff import LITERAL, Change, paths_of_few

_AFTER_SLASH = chr(ord("/") + 1)
"""Sorted paths that begin with a folder and this come right after all that lie in it."""


def is_here(root: Path, path: str) -> bool:
    """Return whether something lies at ``path`` in the tree itself, and not behind a symlink in it."""
    parents = path.split("/")[:-1]
    for depth in range(1, len(parents) + 1):
        if os.path.islink(f"{root}/{'/'.join(parents[:depth])}"):  # noqa: PTH114 - for many files, and quicker
            return False
    return os.path.lexists(f"{root}/{path}")


def in_the_way(
    repo: Repo, changes: Iterable[Change], also: Iterable[str] = (), own: Collection[str] = ()
) -> list[str]:
    """Return untracked or ignored files that lie where a file has to be after ``changes``, but not before.

    ``also`` are more paths that must be free, ``own`` top paths that are left out. A folder that is a
    repository of its own ends with a slash.
    """
    made = (
        path
        for path, before, _, after, _ in changes
        if after != NOTHING and (before == NOTHING or before[:3] != after[:3])  # or of another kind
    )
    wanted = (*also, *made)
    checked: dict[str, str | None] = {}
    hits = {
        hit for path in _where_something_is(repo.path, wanted) for hit in _occupants(repo.path, path, checked)
    }
    hits = {hit for hit in hits if not any(f"{hit}/".startswith(f"{path.strip('/')}/") for path in own)}
    if not hits:
        return []
    listing = repo.git("ls-files", "-z", "--full-name").split("\0") if len(hits) > 500 else None
    if listing is None:
        asked = (f":(top,literal){hit}" for hit in sorted(hits) if not hit.endswith("/"))
        listing = repo.git("ls-files", "-z", "--full-name", "--", *asked).split("\0")
    return sorted(hits - set(listing))


def _where_something_is(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield those of ``paths`` where something may lie: of many in a folder that is not there, one."""
    listed, there, at = sorted(paths), {""}, 0
    while at < len(listed):
        yield listed[at]
        gone = _gone(root, listed[at].rpartition("/")[0], there)
        at = bisect_left(listed, f"{gone}{_AFTER_SLASH}", at) if gone else at + 1


def _gone(root: Path, folder: str, there: set[str]) -> str:
    """Return the topmost folder on the way to ``folder`` that is not there, or nothing; note one that is."""
    gone = ""
    while folder not in there and not os.path.lexists(f"{root}/{folder}"):
        gone, folder = folder, folder.rpartition("/")[0]
    there.add(folder)
    return gone


def _occupants(root: Path, path: str, checked: dict[str, str | None]) -> Iterator[str]:
    """Yield what lies on disk at ``path``, at one of its parents that is no plain folder, or below it.

    ``checked`` keeps what :func:`_bar` said of parents, as many paths share theirs.
    """
    bar = _bar(root, path.rpartition("/")[0], checked)
    if bar is not None:
        yield from filter(None, (bar,))
        return
    try:
        kind = os.lstat(f"{root}/{path}").st_mode
    except OSError:
        return
    if not stat.S_ISDIR(kind):
        yield path
        return
    for folder, subfolders, files in os.walk(root / path):
        if ".git" in subfolders or ".git" in files:
            subfolders.clear()
            yield os.path.relpath(folder, root) + "/"
            continue
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        yield from (os.path.relpath(Path(folder) / name, root) for name in (*files, *links))


def _bar(root: Path, folder: str, checked: dict[str, str | None]) -> str | None:
    """Return what bars the way to all that lies in a folder of the tree: see :func:`_hindrance`."""
    if not folder:
        return None
    if folder not in checked:
        above = _bar(root, folder.rpartition("/")[0], checked)
        checked[folder] = above if above is not None else _hindrance(root, folder)
    return checked[folder]


def _hindrance(root: Path, parent: str) -> str | None:
    """Return what bars the way at a folder: ``None`` if that is plain, nothing ("") if nothing lies there."""
    full = root / parent
    if not os.path.lexists(full):
        return ""
    if full.is_symlink() or not full.is_dir():
        return parent
    return f"{parent}/" if os.path.lexists(full / ".git") else None


def hindrances(repo: Repo, changes: Sequence[Change]) -> list[str]:
    """Return the paths that bar the way of changes to what HEAD has: open edits, and files that git lacks."""
    with hindrances_asked(repo, changes) as answer:
        return answer()


@contextmanager
def hindrances_asked(repo: Repo, changes: Sequence[Change]) -> Iterator[Callable[[], list[str]]]:
    """Start to ask what :func:`hindrances` returns, which is what is yielded does."""
    if all(change.mode_before == NOTHING for change in changes) and gitindex.lacks(
        str(repo.git_dir() / "index"), (change.path for change in changes)
    ):
        yield lambda: in_the_way(repo, changes)
        return
    only, paths = paths_of_few(changes), {change.path for change in changes}
    there = [change for change in changes if change.mode_before != NOTHING]  # else git has it staged, or not
    looked_at = paths_of_few(there) if only else ()
    # not `git diff`, which may write the index anew, and leaves its lock there if it is killed
    status = (
        "status",
        "--porcelain=v2",
        "-z",
        "--no-renames",
        "--untracked-files=no",
        "--ignore-submodules=all",
        *looked_at,
    )
    staged = ("diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD", *only)
    with ExitStack() as asked:
        editing = asked.enter_context(repo.ask(*UNFILTERED, *status, env=LITERAL)) if there else None
        staging = asked.enter_context(repo.ask(*staged, env=LITERAL))

        def answer() -> list[str]:
            edited = paths & _edited(editing.answer()) if editing else set[str]()
            if edited:
                edited = paths & _edited(repo.git(*status, env=LITERAL))
            hit = edited | paths.intersection(staging.answer().split("\0"))
            return sorted({*hit, *in_the_way(repo, changes)})

        yield answer


def _edited(status: str) -> set[str]:
    found = parse_status(status)
    return {*found.edited, *found.unmerged}


def unseen_edits(repo: Repo, changes: Iterable[Change], known: Collection[str]) -> list[str]:
    """Return files that ``changes`` take away, of which git would not give back what lies on disk.

    It takes a file for unchanged that is so after line ends are made equal or a clean filter has dropped
    something, or if it was told not to look; ``known`` are the edits that it sees. Only bytes tell: those of
    the blob, or else what a checkout makes of it.
    """
    altered = [change for change in changes if change.path not in known and _is_altered(repo.path, change)]
    if altered and (repo.common_dir() / "annex").is_dir():  # annexed content is safe in the annex
        pointers = bytewise.pointers_among(repo, [change.before for change in altered])
        altered = [change for change in altered if change.before not in pointers]
    if not altered:
        return []
    paths = [change.path for change in altered]
    with scratch_folder("wtwatch-") as scratch:
        words = ("checkout-index", "-q", "-z", "--stdin", f"--prefix={scratch}{os.sep}")
        repo.git(*words, stdin="".join(f"{path}\0" for path in paths), ok=(0, 1, 128))
        return [path for path in paths if not _are_alike(repo.path / path, scratch / path)]


def _is_altered(root: Path, change: Change) -> bool:
    if change.mode_before in (NOTHING, GITLINK) or not is_here(root, change.path):
        return False
    full = root / change.path
    if full.is_symlink() and change.mode_before != LINK:
        return True
    return bytewise.is_file(full) and bytewise.blob_id(full, len(change.before)) != change.before


def _are_alike(one: Path, other: Path) -> bool:
    kinds = (one.is_symlink(), other.is_symlink())
    return not any(kinds) and other.is_file() and one.read_bytes() == other.read_bytes()
