"""What bars the way of changes, and how that is looked at."""

from __future__ import annotations

import os
from pathlib import Path

from tests.setup.test_worktrees import repository
from wtwatch.doors.repo import Repo
from wtwatch.tree import diff, obstacles


def test_a_look_for_edits_leaves_the_index_alone(tmp_path: Path) -> None:
    """Whoever writes it holds its lock, and may be killed."""
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(f"{name}\n")
    repository(tmp_path, "other")
    repo = Repo(tmp_path)
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text("more\n")
    repo.git("commit", "-q", "-a", "-m", "more")
    changes = diff.between(repo, repo.resolve("HEAD~1"), repo.resolve("HEAD"))  # type: ignore[arg-type]
    (tmp_path / "three").write_text("mine\n")
    for name in ("one", "two"):  # git would note that they are as they were
        os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
    index = (tmp_path / ".git" / "index").read_bytes()
    assert obstacles.hindrances(repo, changes) == ["three"]
    assert (tmp_path / ".git" / "index").read_bytes() == index
