"""A disk that has no room left, of which nothing else may tell: git-annex waits for room without a word."""

from pathlib import Path

from wtwatch.doors.traces import is_full
from wtwatch.project.config import Project
from wtwatch.words.quoting import quoted


def full(project: Project) -> Path | None:
    """Return the state or the run tree of a project whose disk is full, if one's is."""
    return next((place for place in (project.state, project.run_tree) if is_full(place)), None)


def said(place: Path) -> str:
    """Return what to say of the full disk of a place."""
    return f"The disk of {place} is full, so that what runs or moves may wait for room, or fail."


def hint(place: Path) -> str:
    """Return the way out."""
    return f"Make room on it (df -h {quoted(place)}); what waits goes on by itself."
