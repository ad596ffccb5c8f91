"""Whether a move of code concerns jobs at all: one that changes documentation alone does not."""

from __future__ import annotations

from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.words.model import Sha

_ASIDE: tuple[str, ...] = (":(top)", ":(exclude,top)docs/**", ":(exclude,top)*.md", ":(exclude,top)README*")
"""What a move may change without concerning a job: pathspecs (gitglossary(7)) for all but documentation."""


def concerns_jobs(project: Project, old: Sha, new: Sha) -> bool:
    """Return whether code differs between two commits in more than documentation; unknown counts as yes."""
    where = _ASIDE
    if project.paths:
        within = (f":(exclude,top){path}/{name}" for path in project.paths for name in ("docs/**", "README*"))
        where = (*(f":(top,literal){path}" for path in project.paths), *_ASIDE[1:], *within)
    return not Repo(project.main_code).succeeds("diff", "--quiet", old, new, "--", *where)
