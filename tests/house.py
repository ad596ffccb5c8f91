"""A run tree of plain git repositories, built in a moment: for tests in which DataLad is not the point."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mould import Mould
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import codetree, sync
from wtwatch.words.model import Backup, Sha

FILES = {
    "a.py": "a = 1\n",
    "b.py": "b = 1\n",
    "d/x.py": "x = 1\n",
    "d/y.py": "y = 1\n",
    ".gitignore": ".venv/\n*.log\n.env\n",
}

_MOULDS: dict[tuple[str, ...], Mould] = {}
"""By the kind of house: see :meth:`House.built`."""


@dataclass(frozen=True)
class House:
    """A superdataset with code/, and the run tree's work trees of both; ``project`` is all that knows them.

    Code has the commits that a test makes with :meth:`commit`; the run tree stands, applied, at the first.
    """

    project: Project

    @classmethod
    def at(cls, root: Path, **changes: Any) -> House:
        """Return the house that was built at ``root``."""
        project = Project("p", root / "main/.git/wtwatch/p", root / "main", root / "run", environment="none")
        return cls(project._replace(**changes))

    @classmethod
    def built(cls, root: Path, **changes: Any) -> House:
        """Return a house at ``root``: the first of its kind is made by git, all others are cast from that."""
        house = cls.at(root, **changes)
        kind = house._kind(root)
        if kind not in _MOULDS:
            house._build()
            _MOULDS[kind] = Mould.of(root, house.project.main_tree, house.project.run_tree)
            return house
        _MOULDS[kind].cast(root)
        house.project.state.mkdir(parents=True, exist_ok=True)
        return house

    def _kind(self, root: Path) -> tuple[str, ...]:
        """Return all that :meth:`_build` goes by."""
        project = self.project
        places = (project.main_tree, project.main_code, project.run_tree, project.run_code, project.state)
        paths = (os.path.relpath(place, root) for place in places)
        return (*paths, project.code, project.bookmark, project.bookmark_ref, self.tree.applied_ref)

    def _build(self) -> None:
        project = self.project
        project.main_code.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", cwd=project.main_tree)
        self.git("init", "-q", "-b", "main")
        first = self.commit(FILES, bookmark=True)
        self.git(
            "update-index", "--add", "--cacheinfo", f"160000,{first},{project.code}", cwd=project.main_tree
        )
        modules = f'[submodule "code"]\n\tpath = {project.code}\n\turl = ./{project.code}\n'
        (project.main_tree / ".gitmodules").write_text(modules)
        self.git("add", ".gitmodules", cwd=project.main_tree)
        self.git("commit", "-q", "-m", "first", cwd=project.main_tree)
        self.git(
            "worktree", "add", "-q", "-b", project.bookmark, str(project.run_tree), cwd=project.main_tree
        )
        self.git("worktree", "add", "-q", "--detach", str(project.run_code), first)
        self.git("update-ref", self.tree.applied_ref, first)
        project.state.mkdir(parents=True)

    @property
    def tree(self) -> RunTree:
        """The run tree as a place."""
        return RunTree.of(self.project)

    @property
    def code(self) -> Path:
        """The run tree's code."""
        return self.project.run_code

    def git(self, *args: str, cwd: Path | None = None, code: int = 0) -> str:
        """Run git, in the main tree's code unless told otherwise."""
        done = subprocess.run(
            ["git", "-c", "maintenance.auto=false", *args],  # a commit is one program then, not two
            cwd=cwd or self.project.main_code,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=60,
        )
        assert done.returncode == code, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout.removesuffix("\n")

    def here(self, *args: str, code: int = 0) -> str:
        """Run git in the run tree's code."""
        return self.git(*args, cwd=self.code, code=code)

    def commit(self, files: Mapping[str, str | None], bookmark: bool = True, message: str = "more") -> Sha:
        """Commit files (``None``: remove; "-> TARGET": a symlink) in the main tree's code; return the commit.

        ``bookmark`` moves the bookmark to it.
        """
        for path, text in files.items():
            write(self.project.main_code, path, text)
        self.git("add", "-A", "-f", "--", ".", ":(exclude,top).jj")  # which jj keeps out of git
        self.git("commit", "-q", "--allow-empty", "-m", message)
        made = self.head(self.project.main_code)
        if bookmark:
            self.git("update-ref", self.project.bookmark_ref, made)
        return made

    def head(self, tree: Path | None = None) -> Sha:
        return Sha(self.git("rev-parse", "HEAD", cwd=tree or self.code))

    def edit(self, path: str, text: str | None) -> None:
        """Write a file in the run tree's code."""
        write(self.code, path, text)

    def plan(self, force: bool = False) -> sync.Step:
        return sync.next_step(self.tree, codetree.facts_of(self.tree), force)

    def sync(self, force: bool = False) -> Backup | None:
        """Look, plan and act, as a reconcile does."""
        sync.recover(self.tree)
        step = self.plan(force)
        assert not isinstance(step, sync.Blocked), step
        return sync.apply(self.tree, step)

    def assert_exactly_at(self, commit: Sha) -> None:
        """HEAD, detached, the applied ref, index and tracked files are at ``commit``."""
        assert self.head() == commit
        self.here("symbolic-ref", "-q", "HEAD", code=1)
        assert self.git("rev-parse", self.tree.applied_ref) == commit
        assert self.here("status", "--porcelain", "--untracked-files=no") == ""
        assert self.here("write-tree") == self.git("rev-parse", f"{commit}^{{tree}}")
        assert not (self.project.state / "journal").exists()

    def kept(self, backup: Backup | None, path: str) -> str:
        """Return what a backup holds at ``path``."""
        assert backup is not None
        return self.git("cat-file", "blob", f"{backup.commit}:{path}")


def write(root: Path, path: str, text: str | None) -> None:
    """Write a file below ``root``; ``None`` removes it, "-> TARGET" makes a symlink."""
    file = root / path
    if file.is_symlink() or file.is_file():
        file.unlink()
    if text is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if text.startswith("-> "):
        file.symlink_to(text.removeprefix("-> "))
    else:
        file.write_text(text, encoding="utf-8")
