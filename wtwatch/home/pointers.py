"""The pointer of code on either side of a merge, and which code commits results name."""

from __future__ import annotations

from collections.abc import Iterator

from wtwatch.doors.history import history
from wtwatch.doors.repo import Repo
from wtwatch.home.harvest import RUN
from wtwatch.project.config import Project
from wtwatch.words.model import Sha


def sides(project: Project, main: Repo, ours: Sha, theirs: Sha) -> Iterator[str]:
    """Yield a line on the pointer of each side, with its subject, and which of them the results ran on.

    That is the code that the newest result names in its first parent.
    """
    with history(main.path) as reader:
        points = [reader.gitlink(commit, project.code) for commit in (ours, theirs)]
        results = (commit for commit in reader.commits(f"{ours}..{theirs}") if RUN in str(commit.summary))
        newest = next((commit for commit in results if commit.parents), None)
        ran_on = reader.gitlink(newest.parents[0].hexsha, project.code) if newest else None
    for side, point in zip(("main", "run"), points, strict=True):
        remark = "   ← the newest result ran on it" if point and point == ran_on else ""
        yield f"  {side:<5}{_named(project, point)}{remark}"
    if ran_on and ran_on not in points:
        yield f"  the newest result ran on {_named(project, ran_on)}"


def _named(project: Project, commit: Sha | None) -> str:
    if commit is None:
        return "no code"
    return f"{commit[:10]} {Repo(project.main_code).subject(commit) or '(not here)'}"
