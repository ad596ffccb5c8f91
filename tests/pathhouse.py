"""A superdataset whose code is a folder of its own, and its run tree: plain git, built in a moment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.house import write
from wtwatch.project.config import Project, write_project
from wtwatch.project.tree import RunTree
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.words.model import Sha


class PathHouse:
    """A main tree with code/ (and what else a test names), and a run tree that follows ``runs-code``."""

    def __init__(self, root: Path, *paths: str, **changes: Any) -> None:
        paths = paths or ("code",)
        self.main, self.run = root / "main", root / "run"
        self.project = Project(
            "p",
            self.main / ".git/wtwatch/p",
            self.main,
            self.run,
            bookmark="runs-code",
            code=" ".join(paths),
            paths=paths,
            run_branch="runs",
            environment="none",
        )._replace(**changes)
        self.main.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        for name, value in (("user.name", "L"), ("user.email", "l@example.org")):
            self.git("config", name, value)
        self.save("first", code__a="v1\n", code__b="b\n", in__a="1\n")
        self.release()
        self.git("worktree", "add", "-q", "-b", "runs", str(self.run))
        self.project.state.mkdir(parents=True)
        write_project(self.project)
        self.tick()

    @property
    def tree(self) -> RunTree:
        """The run tree as a place."""
        return RunTree.of(self.project)

    def git(self, *args: str, cwd: Path | None = None) -> str:
        """Run git, in the main tree unless told otherwise."""
        done = subprocess.run(
            ["git", "-c", "maintenance.auto=false", *args],
            cwd=cwd or self.main,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout.removesuffix("\n")

    def save(self, message: str = "more", where: Path | None = None, **files: str | None) -> Sha:
        """Commit files in the main tree; ``__`` in a name stands for a slash, ``None`` removes."""
        top = where or self.main
        for name, text in files.items():
            write(top, name.replace("__", "/"), text)
        self.git("add", "-A", cwd=top)
        self.git("commit", "-q", "--allow-empty", "-m", message, cwd=top)
        return Sha(self.git("rev-parse", "HEAD", cwd=top))

    def job(self, **files: str | None) -> Sha:
        """Commit what a job would in the run tree."""
        return self.save("[DATALAD RUNCMD] a job", self.run, **files)

    def release(self, revision: str = "HEAD") -> Sha:
        """Move the bookmark."""
        self.git("branch", "-q", "-f", "runs-code", revision)
        return Sha(self.git("rev-parse", revision))

    def tick(self, **options: Any) -> Done:
        return tick(self.project, TickOptions(**options))

    def here(self, path: str, where: Path | None = None) -> str | None:
        file = (where or self.run) / path
        return file.read_text() if file.exists() else None

    def is_clean(self, where: Path | None = None) -> bool:
        return self.git("status", "--porcelain", cwd=where or self.run) == ""
