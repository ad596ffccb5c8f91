"""What a job left that did not succeed: moved out of the run tree by rename, never into git or an annex.

Afterwards all that the job changed stands as it is committed, code too, so that the next job starts clean.
What it wrote to its declared outputs is kept for the last attempts, all else for good.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import sync_folder
from wtwatch.doors.repo import Repo
from wtwatch.job import back, expiry, locks, verdict
from wtwatch.job.attempt import Folder
from wtwatch.job.expiry import drop_empty_parents, open_folders
from wtwatch.job.readiness import Demands
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.tree import hidden
from wtwatch.tree.busy import working_in
from wtwatch.tree.changes import changes_in, unlocked
from wtwatch.tree.states import After, Before, added
from wtwatch.words.errors import Busy
from wtwatch.words.model import Process


class Left(NamedTuple):
    """What was cleared away: the folder to which files were moved, and what else was done, in words."""

    place: Path | None = None
    notes: tuple[str, ...] = ()


def clear(
    tree: RunTree,
    attempt: Folder,
    demanded: Demands,
    after: After,
    others: Callable[[RunTree, Collection[int]], list[Process]] = working_in,
) -> Left:
    """Move what an attempt left into a folder of its name beside the run tree; bring code and branch back.

    Only what ``after`` adds to how the tree stood before is the attempt's: whatever came to the tree later is
    somebody's, and stays. Before an attempt of version 0.1.0 the tree is known to have been clean. Whoever
    calls holds the lock of the run tree, and nothing that the attempt started is alive. Safe to call again
    after it was cut off. Raises :class:`Busy` while somebody else is at work in the tree.
    """
    process = attempt.started()
    then, name = attempt.before() or Before(()), attempt.path.name
    _wait_for(others(tree, (process.pid,) if process else ()))
    locks.drop(tree, then, after, attempt.clearing_began())
    attempt.begin_clearing()
    place = tree.shelf / "jobs" / name
    notes = []
    if not demanded.paths:  # else it is cleared with the superdataset
        notes += back.code(tree, demanded.code_sha, _clear_code(tree, demanded, then, after, place))
    inside = [state.path for state in after.datasets if state.path not in ("", demanded.code_path)]
    for path in [*reversed(inside), ""]:
        mine = {change.path for change in added(then, after, path)}
        _clear_one(tree, path, place, mine | _hidden_outputs(tree, path, demanded))
    for path in inside:
        back.subdataset(tree, path, place, name)
    notes += back.branch(tree, name, then, after)
    if not place.exists():
        return Left(None, tuple(notes))
    expiry.note_declared(tree, name, place, demanded)
    sync_folder(place.parent)
    expiry.forget_old(tree)
    return Left(place, tuple(notes))


def has_content(unlocked_file: Path, content: Path | None) -> bool:
    """Return whether an unlocked file is as it was in the annex.

    ``git annex unlock`` copies the content with its time. Where that differs, git's word is not enough: in a
    copy of a dataset, git-annex compares by size and second alone (see ``.git/annex/sentinal``).
    """
    if content is None or not content.exists():
        return False
    here, there = unlocked_file.stat(), content.stat()
    if (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
        return True
    return filecmp.cmp(unlocked_file, content, shallow=False)


def _wait_for(others: Sequence[Process]) -> None:
    """Raise :class:`Busy` while a foreign process works in the tree."""
    if others:
        first = others[0]
        raise Busy(
            f"{first.name} (pid {first.pid}) works in the run tree, so what a job left there stays.",
            f"It is cleared away when that ends; `wtwatch sync --ignore-pid {first.pid}` does not wait.",
            tuple(others),
        )


def _clear_code(tree: RunTree, demanded: Demands, then: Before, after: After, place: Path) -> bool:
    """Move out what a job added to code; return whether it changed tracked content as well."""
    mine = [
        change for change in added(then, after, demanded.code_path) if not verdict.may_be(demanded, change)
    ]
    for change in mine:
        if change.untracked:
            open_folders(tree.code_path, change.path)
            _move_out(tree.code_path, change.path, place / demanded.code_path)
    return any(not change.untracked for change in mine)


def _hidden_outputs(tree: RunTree, path: str, demanded: Demands) -> set[str]:
    """Have git look again at declared outputs of one repository that were hidden from it; return which."""
    repo = Repo(tree.path / path)
    declared = demanded.spec.outputs
    found = {
        name
        for name in (hidden.edits(repo) if declared else ())
        if any(verdict.is_below(os.path.join(path, name), one, demanded) for one in declared)  # noqa: PTH118
    }
    if found:
        hidden.look_again(repo, sorted(found))
    return found


def _clear_one(tree: RunTree, path: str, place: Path, mine: Collection[str]) -> None:
    """Clear one repository of the run tree, of which ``path`` is the place, of the paths ``mine`` in it."""
    folder = tree.path / path
    found = [change for change in changes_in(folder, excludes_env(tree)) if change.path in mine]
    contents = unlocked(folder, found)
    for change in found:
        open_folders(folder, change.path)
    for change in found:
        gone = change.unstaged == "D" or change.gitlink
        same = change.unstaged in ".T" and has_content(folder / change.path, contents.get(change.path))
        if not gone and not same:
            _move_out(folder, change.path, place / path)
    tracked = [change for change in found if not change.untracked]
    for change in tracked:
        for obstacle in () if change.gitlink else _obstacles(folder, change.path):
            _move_out(folder, obstacle, place / path)
    _restore(folder, [change.path for change in tracked if not change.gitlink], "--staged", "--worktree")
    _restore(folder, [change.path for change in tracked if change.gitlink], "--staged")
    if any(change.in_head[0] == "100644" for change in tracked) and back.is_annexed(folder):
        # git leaves a pointer where an unlocked annexed file has to be (git-annex-smudge(1))
        Repo(folder).git("annex", "smudge", "--update")


def _restore(tree: Path, paths: list[str], *where: str) -> None:
    if paths:
        words = ["--literal-pathspecs", "restore", "--source=HEAD", *where]
        files = ["--pathspec-from-file=-", "--pathspec-file-nul"]
        Repo(tree).git(*words, *files, stdin="".join(f"{path}\0" for path in paths))


def _move_out(tree: Path, path: str, place: Path) -> None:
    source = tree / path
    if path.endswith("/") and not (source / ".git").is_dir():
        return  # a worktree of another repository, which a rename would break: it stays, and is named
    if not os.path.lexists(source):
        return
    target = _vacant(place / path)
    target.parent.mkdir(parents=True, exist_ok=True)
    annexed = _annex_object(source)
    if annexed is not None:  # the way to the content would not lead there from elsewhere
        target.symlink_to(annexed)
        source.unlink()
    else:
        shutil.move(source, target)
    drop_empty_parents(source.parent, tree)


def _obstacles(tree: Path, path: str) -> Iterator[str]:
    """Yield what git ignores, but lies where a file has to be put back: a folder there, or a file above."""
    for parent in reversed(Path(path).parents):
        if (tree / parent).is_symlink() or (tree / parent).is_file():
            yield str(parent)
            return
    if (tree / path).is_dir() and not (tree / path).is_symlink():
        yield path


def _vacant(path: Path) -> Path:
    number = 1
    vacant = path
    while os.path.lexists(vacant):
        number += 1
        vacant = path.with_name(f"{path.name}~{number}")
    return vacant


def _annex_object(file: Path) -> Path | None:
    """Return the content that a locked annexed file points to, if it is one."""
    if not file.is_symlink() or "annex/objects/" not in str(file.readlink()):
        return None
    return file.resolve()
