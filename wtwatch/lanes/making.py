"""Making a lane: a worktree of each dataset that the run tree has; and removing one, never with contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress

from wtwatch.doors.files import held
from wtwatch.doors.repo import Repo
from wtwatch.lanes import newborn, notes
from wtwatch.project.config import DEFAULT_PREFIX
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.setup import layout, worktrees
from wtwatch.setup.layout import Layout, Wanted, stands
from wtwatch.tree import carried
from wtwatch.tree.busy import working_in
from wtwatch.tree.changes import subdatasets
from wtwatch.tree.nested import LOCKED_FOR
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

BYTECODE = "__pycache__"


def lacking(tree: RunTree, lane: RunTree, base: Sha) -> Layout:
    """Return which worktrees a lane lacks of the datasets that are in the run tree; changes nothing.

    They are to be at what the commit ``base`` of the superdataset names.
    """
    places = ["", *(sub.path for sub in subdatasets(tree.path) if sub.installed)]
    lacks = [place for place in places if not stands(lane.path / place)]
    present = (lane.path / place for place in places if place not in lacks)
    named = {"": base}
    if any(lacks):
        named |= {below.path: below.commit for below in layout.subdatasets(tree.path, base)}
    missing = (
        Wanted(tree.path / place, lane.path / place, named[place], None, False)
        for place in lacks
        if place in named
    )
    return Layout(tuple(missing), tuple(present), ())


def make(
    lane: RunTree,
    lacks: Layout,
    stop: Callable[[], bool] = lambda: False,
    alone: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Make what a lane lacks, with its lock held by the caller; ``stop``, ``alone``: see `worktrees.made`.

    Raises :class:`WtwatchError` with nothing left of what it began, as on a full disk.
    """
    if lacks.missing:
        worktrees.relink((wanted.main for wanted in lacks.missing), lane.path)
        with worktrees.made(lacks, f"{LOCKED_FOR} {lane.project.name}, lane {lane.lane}", stop, alone):
            pass


def remove(lane: RunTree, wait: float = 0.0) -> None:
    """Remove a lane that is not needed any more, with all that is written down of it.

    Who makes it is asked to end that, and waited for, up to ``wait`` seconds. Raises :class:`WtwatchError`
    while somebody works in it, or if it holds anything that is not in git.
    """
    notes.end_making(lane)
    with held(lane.lock, wait=wait, what=f"lane {lane.lane}"):
        busy = working_in(lane)
        if busy:
            raise Busy(
                f"{busy[0].name} (pid {busy[0].pid}) works in {lane.path}, so that lane stays.",
                "It goes by itself when that ends.",
                tuple(busy),
            )
        _check_none_was_made(lane, "")
        found = next(_contents(lane), None)
        if found:
            raise WtwatchError(
                f"{lane.path} holds {found}, which is nowhere else, so that lane stays.",
                f"Save it elsewhere or delete it: {quoted(lane.path / found)}",
            )
        places = _places(lane) if _is(lane) else []
        worktrees.remove(lane.path / place for place in reversed(places))
        with suppress(OSError):
            lane.path.rmdir()
    for file in sorted(lane.state.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    lane.state.rmdir()


def drop(lane: RunTree, place: str) -> None:
    """Remove the worktree of a subdataset that the run tree has no more, and those in it, from a lane.

    Raises :class:`WtwatchError` if it holds anything that is not in git.
    """
    _check_none_was_made(lane, place)
    inside = [path for path in _places(lane) if f"{path}/".startswith(f"{place}/")]
    found = next((file for path in inside for file in _contents_of(lane, path)), None)
    if found:
        raise WtwatchError(
            f"{lane.path / place} is no dataset of the run tree any more, and holds what is nowhere else: "
            f"{found}.",
            f"Save it elsewhere or delete it: {quoted(lane.path / found)}",
        )
    worktrees.remove(lane.path / path for path in reversed(inside))


def _check_none_was_made(lane: RunTree, place: str) -> None:
    """Raise where a repository lies in a lane itself, at a place or below: it is nowhere else."""
    for path in newborn.found(lane) if _is(lane) else ():
        if not place or f"{path}/".startswith(f"{place}/"):
            raise WtwatchError(
                f"{lane.path / path} is a repository that was made there, and is nowhere else.",
                f"Move it away: {quoted(lane.path / path)}",
            )


def _places(lane: RunTree) -> list[str]:
    return ["", *(sub.path for sub in subdatasets(lane.path) if sub.installed)]


def _is(lane: RunTree) -> bool:
    return (lane.path / ".git").exists()


def _contents(lane: RunTree) -> Iterator[str]:
    """Yield what a lane holds that git has not, but for what can be made again."""
    if not _is(lane):
        if lane.path.is_dir():
            yield from (file.name for file in lane.path.iterdir())
        return
    for place in _places(lane):
        yield from _contents_of(lane, place)


def _contents_of(lane: RunTree, place: str) -> Iterator[str]:
    """Yield that of the dataset at ``place`` in a lane."""
    again = {lane.prefix, lane.code_folder / DEFAULT_PREFIX}
    again |= {lane.code_folder / path for path in carried.present(lane)}
    words = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching")
    listing = Repo(lane.path / place).git(*words, "--ignore-submodules=all", env=excludes_env(lane))
    for line in filter(None, listing.split("\0")):
        file = lane.path / place / line[3:]
        made = BYTECODE in file.parts or any(file.is_relative_to(one) for one in again)
        if not made:
            yield file.relative_to(lane.path).as_posix()
