"""The end of leftovers: those of declared outputs are kept for the last attempts, all else for good."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import write_whole
from wtwatch.job import verdict
from wtwatch.job.readiness import Demands
from wtwatch.project.tree import RunTree
from wtwatch.words.patterns import names


class _Declared(NamedTuple):
    """Which of the leftovers of an attempt were declared outputs: they alone end by themselves.

    ``number`` grows from one attempt that left something to the next.
    """

    number: int
    paths: tuple[str, ...]


def note_declared(tree: RunTree, name: str, place: Path, demanded: Demands) -> None:
    """Write down which files in ``place`` were declared outputs, or are no result."""
    file = _note_of(tree, name)
    paths = [path.relative_to(place).as_posix() for path in _files(place)]
    outputs = demanded.spec.outputs
    declared = [
        path
        for path in paths
        if names(path, tree.project.ignore_outputs)
        or any(verdict.is_below(path, output, demanded) for output in outputs)
    ]
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


def declared(tree: RunTree, name: str) -> tuple[str, ...]:
    """Return which files of an attempt's leftovers were declared outputs, by their place in the tree."""
    known = _declared(tree, name)
    return known.paths if known else ()


def _all_declared(tree: RunTree) -> dict[str, _Declared]:
    names = [folder.name for folder in (tree.shelf / "jobs").iterdir()]
    return {name: known for name in names if (known := _declared(tree, name)) is not None and known.paths}


def forget_old(tree: RunTree) -> None:
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
    open_folders(place, path)
    (place / path).unlink(missing_ok=True)
    drop_empty_parents((place / path).parent, place)


def open_folders(tree: Path, path: str) -> None:
    """Give the right to write back where a job took it from the folders above ``path``, and from itself."""
    for folder in (tree / path, *(tree / above for above in Path(path).parents)):
        if folder.is_dir() and not folder.is_symlink() and not os.access(folder, os.W_OK | os.X_OK):
            folder.chmod(folder.stat().st_mode | 0o700)


def drop_empty_parents(folder: Path, top: Path) -> None:
    """Remove ``folder`` and those above it, up to ``top``, as far as nothing is left in them."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:  # something is left in it
            return
        folder = folder.parent
