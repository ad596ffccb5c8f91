"""What a job left that did not succeed: moved out of the run tree by rename, never into git or an annex.

Afterwards all that the job changed stands as it is committed, code too, so that the next job starts clean.
What it wrote to its declared outputs is kept for the last attempts, all else for good.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import sync_folder, write_whole
from wtwatch.doors.processes import working_in
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.job import verdict
from wtwatch.job.attempt import Folder
from wtwatch.job.readiness import Demands
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.tree import save, sync
from wtwatch.tree.changes import changes_in, unlocked
from wtwatch.tree.states import After, Before, added, locks_of
from wtwatch.words.errors import Busy
from wtwatch.words.model import Sha

NOTE = "COMMITS-IN-SUBDATASETS.txt"
"""The file among the leftovers that names commits which no commit of the superdataset took in."""


class Left(NamedTuple):
    """What was cleared away: the folder to which files were moved, and what else was done, in words."""

    place: Path | None = None
    notes: tuple[str, ...] = ()


def clear(tree: RunTree, attempt: Folder, demanded: Demands, after: After) -> Left:
    """Move what an attempt left into a folder of its name beside the run tree; bring code and branch back.

    Only what ``after`` adds to how the tree stood before is the attempt's: whatever came to the tree later is
    somebody's, and stays. Before an attempt of version 0.1.0 the tree is known to have been clean. Whoever
    calls holds the lock of the run tree, and nothing that the attempt started is alive. Safe to call again
    after it was cut off. Raises :class:`Busy` while somebody else is at work in the tree.
    """
    process = attempt.started()
    then, name = attempt.before() or Before(()), attempt.path.name
    _wait_for_others(tree, then, after, (process.pid,) if process else ())
    place = tree.shelf / "jobs" / name
    notes = _bring_code_back(tree, demanded, then, after, place)
    inside = [state.path for state in after.datasets if state.path not in ("", demanded.code_path)]
    for path in [*reversed(inside), ""]:
        _clear_one(tree, path, place, {change.path for change in added(then, after, path)})
    for path in inside:
        _back_to_recorded(tree, path, place, name)
    notes += _bring_branch_back(tree, name, then, after)
    if not place.exists():
        return Left(None, tuple(notes))
    _note_declared(tree, name, place, demanded)
    sync_folder(place.parent)
    _forget_old(tree)
    return Left(place, tuple(notes))


def _wait_for_others(tree: RunTree, then: Before, after: After, ignore: Collection[int]) -> None:
    """Raise :class:`Busy` while a foreign process works in the tree; drop locks that a killed git left."""
    others = working_in(tree.path, tree.project.passive, ignore)
    if others:
        raise Busy(
            f"{others[0].name} (pid {others[0].pid}) works in the run tree, so what a job left there stays.",
            "It is cleared away when that ends.",
            tuple(others),
        )
    known = {lock for state in then.datasets for lock in state.locks}
    for state in after.datasets:
        for lock in locks_of(Repo(tree.path / state.path), state.branch):
            if not lock.exists():
                continue
            if str(lock) in known or str(lock) not in state.locks:
                raise Busy(
                    f"{lock} is held by another git than the job's.",
                    "Wait for that git to end. If none runs, remove the file.",
                )
            lock.unlink()  # git writes a lock anew each time, and reads none


def _bring_code_back(tree: RunTree, demanded: Demands, then: Before, after: After, place: Path) -> list[str]:
    """Bring code to the job's commit, with edits and commits kept; move out what was added to it."""
    repo = Repo(tree.code_path)
    head = repo.resolve("HEAD")
    mine = added(then, after, demanded.code_path)
    foreign = [change for change in mine if not verdict.may_be(demanded, change)]
    for change in foreign:
        if change.untracked:
            _open_folders(repo.path, change.path)
            _move_out(repo.path, change.path, place / demanded.code_path)
    elsewhere = head != demanded.code_sha or repo.branch() is not None or repo.operation() is not None
    if head is None or not (elsewhere or any(not change.untracked for change in foreign)):
        return []
    save.keep(tree, {head})
    backup = sync.apply(tree, sync.move_to(tree, demanded.code_sha))
    notes = [f"{demanded.code_path} is back at {demanded.code_sha[:10]}"]
    if head != demanded.code_sha:
        notes.append(f"{head} is kept")
    return [*notes, *([f"edits are in the backup {backup.id}"] if backup else [])]


def _bring_branch_back(tree: RunTree, name: str, then: Before, after: After) -> list[str]:
    """Put the superdataset back on the branch that a job left, with what was committed off it kept."""
    was, now = then.at(""), after.at("")
    repo = Repo(tree.path)
    if was is None or now is None or was.branch is None or was.branch == now.branch:
        return []
    if repo.branch() == was.branch:
        return []
    head = repo.resolve("HEAD")
    notes = [f"the superdataset is back on {was.branch}"]
    if head is not None and not repo.is_ancestor(head, was.branch):
        kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
        notes.append(f"what was committed off it is kept as {kept}")
    repo.git("checkout", "-q", "--no-overwrite-ignore", was.branch, "--")
    if _is_annexed(repo.path):
        repo.git("annex", "smudge", "--update")
    return notes


def _clear_one(tree: RunTree, path: str, place: Path, mine: Collection[str]) -> None:
    """Clear one repository of the run tree, of which ``path`` is the place, of the paths ``mine`` in it."""
    folder = tree.path / path
    found = [change for change in changes_in(folder, excludes_env(tree)) if change.path in mine]
    contents = unlocked(folder, found)
    for change in found:
        _open_folders(folder, change.path)
    for change in found:
        gone = change.unstaged == "D" or change.gitlink
        same = change.unstaged == "." and _has_content(folder / change.path, contents.get(change.path))
        if not gone and not same:
            _move_out(folder, change.path, place / path)
    back = [change for change in found if not change.untracked]
    for change in back:
        for obstacle in () if change.gitlink else _obstacles(folder, change.path):
            _move_out(folder, obstacle, place / path)
    _restore(folder, [change.path for change in back if not change.gitlink], "--staged", "--worktree")
    _restore(folder, [change.path for change in back if change.gitlink], "--staged")
    if any(change.in_head[0] == "100644" for change in back) and _is_annexed(folder):
        # git leaves a pointer where an unlocked annexed file has to be (git-annex-smudge(1))
        Repo(folder).git("annex", "smudge", "--update")


def _open_folders(tree: Path, path: str) -> None:
    """Give the right to write back where a job took it from the folders above ``path``, and from itself."""
    for folder in (tree / path, *(tree / above for above in Path(path).parents)):
        if folder.is_dir() and not folder.is_symlink() and not os.access(folder, os.W_OK | os.X_OK):
            folder.chmod(folder.stat().st_mode | 0o700)


def _has_content(unlocked_file: Path, content: Path | None) -> bool:
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


def _is_annexed(tree: Path) -> bool:
    return bool(Repo(tree).git("config", "annex.uuid", ok=(0, 1)))


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
    _drop_empty_parents(source.parent, tree)


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


def _drop_empty_parents(folder: Path, top: Path) -> None:
    while folder != top:
        try:
            folder.rmdir()
        except OSError:  # something is left in it
            return
        folder = folder.parent


def _back_to_recorded(tree: RunTree, path: str, place: Path, name: str) -> None:
    """Put a subdataset back to the commit that its superdataset names, keeping newer commits by a ref."""
    repo = Repo(tree.path / path)
    above, below = _superdataset(tree.path, path)
    entry = above.tree("HEAD", below).get(below)
    head = repo.resolve("HEAD")
    if entry is None or head is None or entry.sha == head:
        return
    kept = _keep(repo, f"{tree.project.ref_prefix}/left/{name}", head)
    place.mkdir(parents=True, exist_ok=True)
    with (place / NOTE).open("a", encoding="utf-8", errors="surrogateescape") as note:
        note.write(f"{path}: {head} is kept there as {kept}\n")
    branch = repo.branch()
    repo.git("checkout", "-q", "--no-overwrite-ignore", "--detach", entry.sha)
    if branch:
        repo.git("update-ref", "-m", "wtwatch: clear up", f"refs/heads/{branch}", entry.sha, head)
        repo.git("symbolic-ref", "-m", "wtwatch: clear up", "HEAD", f"refs/heads/{branch}")
    if _is_annexed(repo.path):
        repo.git("annex", "smudge", "--update")


def _superdataset(top: Path, path: str) -> tuple[Repo, str]:
    """Return the repository in which ``path`` is a subdataset, and the path from there."""
    folder = (top / path).parent
    while folder != top and not (folder / ".git").exists():
        folder = folder.parent
    return Repo(folder), (top / path).relative_to(folder).as_posix()


def _keep(repo: Repo, ref: str, commit: Sha) -> str:
    number = 1
    vacant = ref
    while (there := repo.resolve(vacant)) not in (None, commit):
        number += 1
        vacant = f"{ref}-{number}"
    if there is None:
        repo.update_ref(vacant, commit, ZERO, "commits of a job that did not succeed")
    return vacant


class _Declared(NamedTuple):
    """Which of the leftovers of an attempt were declared outputs: they alone end by themselves.

    ``number`` grows from one attempt that left something to the next.
    """

    number: int
    paths: tuple[str, ...]


def _note_declared(tree: RunTree, name: str, place: Path, demanded: Demands) -> None:
    """Write down which files in ``place`` were declared outputs."""
    file = _note_of(tree, name)
    paths = [path.relative_to(place).as_posix() for path in _files(place)]
    outputs = demanded.spec.outputs
    declared = [path for path in paths if any(verdict.is_below(path, output, demanded) for output in outputs)]
    known = _declared(tree, name)
    number = (
        known.number if known else 1 + max((one.number for one in _all_declared(tree).values()), default=0)
    )
    write_whole(file, json.dumps({"version": 1, "number": number, "paths": declared}))


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder but those of repositories, which are no mere output."""
    for inner in folder.iterdir():
        if not _is_folder(inner):
            yield inner
        elif not os.path.lexists(inner / ".git"):
            yield from _files(inner)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _note_of(tree: RunTree, name: str) -> Path:
    return tree.project.state / "jobs" / name / "leftovers"


def _declared(tree: RunTree, name: str) -> _Declared | None:
    try:
        facts = json.loads(_note_of(tree, name).read_text(encoding="utf-8"))
        return _Declared(int(facts["number"]), tuple(facts["paths"]))
    except (OSError, ValueError, KeyError, TypeError):  # not ours to delete then
        return None


def _all_declared(tree: RunTree) -> dict[str, _Declared]:
    names = [folder.name for folder in (tree.shelf / "jobs").iterdir()]
    return {name: known for name in names if (known := _declared(tree, name)) is not None and known.paths}


def _forget_old(tree: RunTree) -> None:
    """Delete the declared outputs that all but the newest attempts left, and nothing else of theirs."""
    known = _all_declared(tree)
    by_age = sorted(known, key=lambda name: known[name].number)
    for name in by_age[: max(len(by_age) - max(tree.project.keep_failed, 1), 0)]:
        place = tree.shelf / "jobs" / name
        for path in known[name].paths:
            _delete(place, path)
        write_whole(
            _note_of(tree, name), json.dumps({"version": 1, "number": known[name].number, "paths": []})
        )
        with suppress(OSError):
            place.rmdir()


def _delete(place: Path, path: str) -> None:
    """Delete one file of the leftovers, and the folders above it that are empty then."""
    _open_folders(place, path)
    (place / path).unlink(missing_ok=True)
    _drop_empty_parents((place / path).parent, place)
