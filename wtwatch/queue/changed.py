"""Whether a file that a batch was loaded from is still as it was then. Light, as each `status` loads it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wtwatch.doors import digests
from wtwatch.project.config import Project
from wtwatch.queue.loads import Loaded


def has_changed(file: Loaded, project: Project) -> bool:
    """Return whether a file, or one of values that it names, is not any more as it was loaded, or is gone."""
    try:
        texts = [one.read_text(encoding="utf-8") for one in files_of(file, project)]
    except (OSError, UnicodeDecodeError):
        return True
    return digest(texts) != file.digest


def files_of(file: Loaded, project: Project) -> tuple[Path, ...]:
    """Return the file that was loaded, and those of values that it names.

    It is looked for in the main tree, else in the run tree, if it was loaded from there.
    """
    place = project.main_tree / file.path
    place = place if place.exists() else project.run_tree / file.path
    return (place, *(place.parent / name for name in file.lists))


def digest(texts: Iterable[str]) -> str:
    """Return a digest of texts, in their order, each with its length."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    return digests.sha256(b"".join(b"%d:%s" % (len(one), one) for one in raw))
