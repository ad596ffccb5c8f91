"""Files that git ignores and code needs, such as `.env`: copied from the main tree when code moves.

Which these are says the setting ``carry``, in patterns as seen from the folder of code. Each is compared
three ways, by what was carried last: unedited here it is replaced, edited here alone it stays, and what both
changed is the user's to say. What the main tree has no more stays.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import NamedTuple

from wtwatch.doors.files import write_whole
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import sized
from wtwatch.words.quoting import quoted

NEVER = (
    ".git", ".jj", ".hg", ".venv", "venv", "env", "node_modules", "__pycache__", "*.pyc", "*.egg-info",
    "build", "dist", ".*_cache", ".ipynb_checkpoints", ".snakemake", ".tox", ".nox", "renv", "*~",
    ".DS_Store", "*.o",
)  # fmt: skip
"""What is never carried: environments, what is built from code, and what tools keep for themselves."""

MOST = 1_000_000_000
"""Bytes that are carried at most, all in all: each move looks whether they changed. More is data."""

_VERSION = 1
_SHOWN = 3


class Noted(NamedTuple):
    """What was carried last: for which patterns, each file with its digest, and what is to be said of it.

    ``here`` are the digests of the files as they were in the run tree then, edits among them.
    """

    patterns: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    here: Mapping[str, str] = {}
    said: tuple[str, ...] = ()


def candidates(project: Project) -> tuple[str, ...]:
    """Return what git ignores in the main tree's code and could be carried; a folder ends in a slash."""
    tree = RunTree.of(project)
    home = project.main_tree / tree.code_home
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    listed = Repo(home).git(*words, ok=(0, 128)).split("\0")
    near = (path for path in listed if path and (tree.code_home or _is_near(path, project.paths)))
    return tuple(path for path in near if not _is_never(home, path))


def _is_near(path: str, code: tuple[str, ...]) -> bool:
    """Return whether what lies in a dataset is beside code, or in it, where code is several paths of that."""
    return "/" not in path or any(path.startswith(f"{one}/") for one in code)


def _is_never(home: Path, path: str) -> bool:
    parts = path.strip("/").split("/")
    if any(fnmatch(part, name) for part in parts for name in NEVER):
        return True
    return path.endswith("/") and (home / path / "pyvenv.cfg").exists()


def noted(tree: RunTree) -> Noted:
    """Return what is noted of what was carried."""
    try:
        facts = json.loads(_file(tree).read_text(encoding="utf-8"))
        return Noted(
            tuple(facts["patterns"]), dict(facts["files"]), dict(facts["here"]), tuple(facts["said"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Noted()


def present(tree: RunTree) -> dict[str, str]:
    """Return which files that were carried are there now, with their digests, whoever edited them since."""
    listed = sorted({*noted(tree).files, *noted(tree).here}) if tree.project.carry else ()
    found = ((path, _digest(tree.code_folder / path)) for path in listed)
    return {path: digest for path, digest in found if digest}


def is_due(tree: RunTree) -> bool:
    """Return whether something is to be carried that was not asked for before, or was cut off."""
    wanted = tree.project.carry
    return bool(wanted) and noted(tree).patterns != wanted


def refresh(tree: RunTree) -> tuple[str, ...]:
    """Carry all that is to be; return what there is to say of it, as sentences. The caller holds the lock.

    May be cut off, and is then done again. Raises :class:`WtwatchError`, before anything is written, for
    files that changed in both trees, or that git does not ignore in one of them, and for more than
    :data:`MOST`.
    """
    known, home = noted(tree), tree.project.main_tree / tree.code_home
    files = _files(home, tree.project.carry)
    _check_size(home, files)
    wanted = {path: digest for path in files if (digest := _digest(home / path))}
    _note(tree, known._replace(patterns=()))
    _check_ignored(home, wanted)
    _check_ignored(tree.code_folder, wanted)
    here = {path: _digest(tree.code_folder / path) for path in wanted}
    own = [path for path in wanted if here[path] not in (None, wanted[path], known.files.get(path))]
    both = [path for path in own if wanted[path] != known.files.get(path)]
    if both:
        raise _changed_twice(tree, home, both)
    for path, digest in wanted.items():
        if path not in own and here[path] != digest:
            _copied(tree, home / path, tree.code_folder / path)
    gone = [path for path in known.files if path not in wanted and os.path.lexists(tree.code_folder / path)]
    said = (
        *(f"{path} was edited in the run tree, and stays as it is there" for path in own),
        *(f"{path} is carried no more, and stays in the run tree" for path in gone),
    )
    kept = {path: known.files[path] for path in gone}
    now = {path: here[path] if path in own else digest for path, digest in wanted.items()}
    _note(tree, Noted(tree.project.carry, wanted | kept, {path: str(at) for path, at in now.items()}, said))
    return said


def _file(tree: RunTree) -> Path:
    return tree.state / "carried.json"


def _note(tree: RunTree, facts: Noted) -> None:
    write_whole(_file(tree), json.dumps({"version": _VERSION, **facts._asdict()}))


def _files(home: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files that patterns mean in a folder; a folder stands for all that is in it."""
    found = {path for pattern in patterns for path in _meant(home, pattern)}
    return sorted(path for path in found if not _is_never(home, path))


def _meant(home: Path, pattern: str) -> Iterator[str]:
    named = home / pattern.strip("/")
    for place in [named] if os.path.lexists(named) else home.glob(pattern.strip("/")):  # also a dangling link
        if place.is_dir() and not place.is_symlink():
            for folder, names, files in os.walk(place):
                names[:] = [name for name in names if not _is_never(Path(folder), f"{name}/")]
                links = [name for name in names if (Path(folder) / name).is_symlink()]
                there = (Path(folder) / name for name in (*files, *links))
                yield from (str(one.relative_to(home)) for one in there if one.is_symlink() or one.is_file())
        elif place.is_file() or place.is_symlink():
            yield str(place.relative_to(home))


def _check_size(home: Path, files: Iterable[str]) -> None:
    sizes = {path: (home / path).lstat().st_size for path in files if os.path.lexists(home / path)}
    if sum(sizes.values()) <= MOST:
        return
    most, whole = max(sizes, key=lambda path: sizes[path]), sized(sum(sizes.values()))
    raise WtwatchError(
        f"What `carry` names in {home} is too much to be looked at with each move: {whole}, most of all "
        f"{most}; {sized(MOST)} may be.",
        "Carry less: wtwatch config carry FILE,FILE. Where data lies, jobs learn by a variable: "
        "wtwatch config env.NAME PATH",
    )


def _check_ignored(home: Path, paths: Iterable[str]) -> None:
    """Raise :class:`WtwatchError` for files that git tracks, or would see as new (git-check-ignore(1))."""
    wanted = list(paths)
    if not wanted:
        return
    for path in wanted:
        behind = next((one for one in PurePath(path).parents if (home / one).is_symlink()), None)
        if behind is not None:
            raise WtwatchError(
                f"{path} cannot be carried along: it lies behind the symlink {behind} in {home}.",
                f"Carry the link itself, {behind}, or the files of another folder: wtwatch config carry",
            )
    listed = Repo(home).git("check-ignore", "-z", "--stdin", ok=(0, 1), stdin="\0".join(wanted)).split("\0")
    seen = [path for path in wanted if path not in listed]
    if seen:
        raise WtwatchError(
            f"{_listed(seen)} cannot be carried along: git does not ignore it in {home}.",
            "Have it ignored in code's .gitignore, and released; or carry others: wtwatch config carry",
        )


def _changed_twice(tree: RunTree, home: Path, paths: list[str]) -> WtwatchError:
    place = tree.code_folder / paths[0]
    mine = quoted(tree.path.parent / f"{place.name}.mine")
    return WtwatchError(
        f"{_listed(paths)} changed in the main tree and in {tree.code_folder}, so it is not carried along.",
        f"Take main's: mv {quoted(place)} {mine}; or the run tree's: "
        f"cp {quoted(place)} {quoted(home / paths[0])}",
    )


def _digest(file: Path) -> str | None:
    """Return what tells one file from another: of a link where it leads to; ``None`` where there is none."""
    import hashlib  # late: see wtwatch.doors.digests

    try:
        if file.is_symlink():
            return f"link:{file.readlink()}"
        if file.exists() and not file.is_file():  # one that is no file may have no end
            return "folder" if file.is_dir() else "other"
        mode = "x" if os.access(file, os.X_OK) else "f"
        with file.open("rb") as opened:
            return f"{mode}:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    except FileNotFoundError:
        return None


def _copied(tree: RunTree, source: Path, target: Path) -> None:
    try:
        _copy(tree, source, target)
    except OSError as error:
        raise WtwatchError(
            f"{source} cannot be carried to {target}: {error.strerror or error}.",
            "Make room, or give the right to write there; then it goes on by itself.",
        ) from error


def _copy(tree: RunTree, source: Path, target: Path) -> None:
    """Put a copy in place of what is there, if anything is; it is whole at any instant."""
    draft = tree.shelf / "carrying" / target.name
    draft.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    shutil.copy2(source, draft, follow_symlinks=False)
    draft.replace(target)
    with suppress(OSError):
        draft.parent.rmdir()


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
