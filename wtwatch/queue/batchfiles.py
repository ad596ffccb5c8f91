"""Batches in files on the disk: read, told apart by digests, and kept to be looked at anew at each move."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wtwatch.project.config import Project
from wtwatch.queue import expanding, recipe
from wtwatch.queue.batches import Anew
from wtwatch.queue.changed import digest
from wtwatch.queue.loads import Batchfile
from wtwatch.queue.recipe import Recipe, Source
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import JobSpec, Standing, Trigger


class Read(NamedTuple):
    """A file as it was read: what it asks for, and the texts of it and of the files of values it names."""

    path: str
    recipe: Recipe
    texts: tuple[str, ...]


def read(file: Path, project: Project) -> Read:
    """Read a batch's file; raises :class:`UsageError` for what is none, with file, line, key and the fix."""
    path = _path(file, project)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.", "wtwatch queue load FILE.toml") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not UTF-8 text: {error.reason} at byte {error.start}.", "Save it as UTF-8."
        ) from error
    folder = file.absolute().parent
    texts: dict[str, str] = {}

    def listed(name: str) -> str:
        return texts.setdefault(name, (folder / name).read_text(encoding="utf-8"))

    found = recipe.parse(Source(path, text), listed)
    return Read(path, found, (text, *(texts[name] for name in found.lists)))


def to_load(found: Read, specs: Iterable[JobSpec]) -> Batchfile:
    """Return a file with the jobs that were made of it, as the queue takes it in."""
    asked = found.recipe
    template = None
    if (asked.looks or asked.stale) and asked.trigger is Trigger.EVERY_MOVE:
        lists = dict(zip(asked.lists, found.texts[1:], strict=True))
        template = json.dumps({"version": 1, "path": found.path, "text": found.texts[0], "lists": lists})
    return Batchfile(
        found.path, asked.name, digest(found.texts), tuple(specs), asked.trigger, asked.lists, template
    )


def look(standing: Standing, project: Project) -> Anew | None:
    """Return what standing jobs are that are to be looked at anew at a move; ``None``: as they were.

    That is so too where they cannot be made now, of which the next load will tell.
    """
    if standing.template is None:
        return None
    try:
        kept = json.loads(standing.template)
        known = recipe.parse(Source(kept["path"], kept["text"]), kept["lists"].__getitem__)
        found = expanding.anew(known, project)
    except (WtwatchError, OSError, ValueError, LookupError, TypeError):
        return None
    said = None
    if found.odd:
        more = f" and {len(found.odd) - 1} more" if len(found.odd) > 1 else ""
        said = f"no jobs of {found.odd[0]!r}{more}, a name that a shell reads otherwise"
    return Anew(standing.template, found.specs, said)


def _path(file: Path, project: Project) -> str:
    """Return a file's path from the top of the superdataset, in whichever of its trees, else whole."""
    place = file.resolve()
    for top in (project.main_tree, project.run_tree):
        if place.is_relative_to(top.resolve()):
            return str(place.relative_to(top.resolve()))
    return str(place)
