"""A small project in which a bookmark can be moved in all the ways there are, for tests of noticing."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wtwatch.doors.files import bell_in, ring
from wtwatch.project.config import Project


@dataclass(frozen=True)
class MovingCode:
    """Plain repositories: code of the main tree with commits to move between, and a run tree's worktree."""

    root: Path
    project: Project

    @classmethod
    def built(cls, root: Path, bookmark: str = "runs") -> MovingCode:
        project = Project("p", root / "state", root / "main", root / "run", bookmark)
        house = cls(root, project)
        for folder in (project.state, project.main_code, project.run_tree):
            folder.mkdir(parents=True)
        house.git("init", "-q")
        for name in "abcd":
            house.git("commit", "-q", "--allow-empty", "-m", name)
            house.git("tag", name)
        house.git("branch", bookmark, "a")
        house.git("worktree", "add", "-q", "--detach", str(project.run_code), "a")
        return house

    @property
    def code(self) -> Path:
        return self.project.main_code

    @property
    def bookmark(self) -> str:
        return self.project.bookmark

    @property
    def ref(self) -> str:
        return self.project.bookmark_ref

    @property
    def common(self) -> Path:
        return self.code / ".git"

    def also(self, bookmark: str) -> MovingCode:
        """Return a second project of the same code, with a run tree of its own."""
        run = self.root / "run of another"
        run.mkdir()
        self.git("branch", bookmark, "a")
        self.git("worktree", "add", "-q", "--detach", str(run / "code"), "a")
        return MovingCode(self.root, self.project._replace(name="q", bookmark=bookmark, run_tree=run))

    def git(self, *args: str, cwd: Path | None = None) -> str:
        return self._say("git", *args, cwd=cwd)

    def jj(self, *args: str) -> str:
        return self._say("jj", "--quiet", *args)

    def _say(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            words, cwd=cwd or self.code, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def tip(self) -> str:
        """Return the commit that the bookmark points to; nothing while it is deleted."""
        return self.git("for-each-ref", "--format=%(objectname)", self.ref)

    def let_jj_drive(self) -> None:
        self.git("checkout", "-q", "--detach", "d")
        self.jj("git", "init", "--colocate")

    def let_jj_drive_apart(self) -> None:
        """Have jj drive code, but keep its refs in a git directory of its own: git sees its commits alone."""
        self.let_jj_drive()
        shutil.copytree(self.common, self.root / "git", symlinks=True)
        self.jj("git", "colocation", "disable")
        shutil.move(self.root / "git", self.common)
        store = self.code / ".jj" / "repo" / "store" / "git"
        (self.common / "objects" / "info" / "alternates").write_text(f"{store / 'objects'}\n")

    def another(self, *but: str) -> str:
        """Return a commit at which the bookmark is not now."""
        return next(name for name in "bcd" if name not in but and self.git("rev-parse", name) != self.tip())


def by_branch(house: MovingCode) -> None:
    house.git("branch", "-f", house.bookmark, house.another())


def by_update_ref(house: MovingCode) -> None:
    house.git("update-ref", house.ref, house.another())


def by_commit(house: MovingCode) -> None:
    house.git("checkout", "-q", house.bookmark)
    house.git("commit", "-q", "--allow-empty", "-m", "more")
    house.git("checkout", "-q", "--detach")


def by_amend(house: MovingCode) -> None:
    house.git("checkout", "-q", house.bookmark)
    house.git("commit", "-q", "--allow-empty", "--amend", "-m", secrets.token_hex(8))
    house.git("checkout", "-q", "--detach")


def by_commit_in_the_run_tree(house: MovingCode) -> None:
    house.git("checkout", "-q", house.bookmark, cwd=house.project.run_code)
    house.git("commit", "-q", "--allow-empty", "-m", "more", cwd=house.project.run_code)
    house.git("checkout", "-q", "--detach", cwd=house.project.run_code)


def by_reset(house: MovingCode) -> None:
    goal = house.another()
    house.git("checkout", "-q", house.bookmark)
    house.git("reset", "-q", "--hard", goal)
    house.git("checkout", "-q", "--detach")


def by_fetch(house: MovingCode) -> None:
    house.git("fetch", "-q", ".", f"+{house.another()}:{house.ref}")


def packed_then_moved(house: MovingCode) -> None:
    house.git("pack-refs", "--all")
    by_update_ref(house)


def moved_then_packed(house: MovingCode) -> None:
    by_update_ref(house)
    house.git("pack-refs", "--all")


def moved_then_collected(house: MovingCode) -> None:
    by_branch(house)
    house.git("gc", "-q")


def deleted(house: MovingCode) -> None:
    house.git("update-ref", "-d", house.ref)


def deleted_and_made_again(house: MovingCode) -> None:
    goal = house.another()
    deleted(house)
    house.git("branch", house.bookmark, goal)


def renamed_and_back(house: MovingCode) -> None:
    goal = house.another()
    house.git("branch", "-m", house.bookmark, "aside")
    house.git("branch", "-m", "aside", house.bookmark)
    house.git("update-ref", house.ref, goal)


def folder_removed_and_made_again(house: MovingCode) -> None:
    goal = house.git("rev-parse", house.another())
    loose = house.common / house.ref
    shutil.rmtree(house.common / "refs" / "heads")
    loose.parent.mkdir(parents=True)
    loose.write_text(f"{goal}\n")


def by_rung_bell(house: MovingCode) -> None:
    bell = bell_in(house.common)
    bell.parent.mkdir(exist_ok=True)  # as the daemon and `hooks install` do
    ring(bell)


GIT_MOVES: tuple[Callable[[MovingCode], None], ...] = (
    by_branch,
    by_update_ref,
    by_commit,
    by_amend,
    by_commit_in_the_run_tree,
    by_reset,
    by_fetch,
    packed_then_moved,
    moved_then_packed,
    moved_then_collected,
    deleted,
    deleted_and_made_again,
    renamed_and_back,
    folder_removed_and_made_again,
)


def by_jj_bookmark(house: MovingCode) -> None:
    house.jj("bookmark", "set", "--allow-backwards", house.bookmark, "-r", house.another())


def by_jj_undo(house: MovingCode) -> None:
    by_jj_bookmark(house)
    house.jj("undo")


def by_jj_rewrite(house: MovingCode) -> None:
    by_jj_bookmark(house)
    # jj refuses to write the very commit that it wrote in this second under another change id
    unique = secrets.token_hex(8)
    house.jj("describe", "--ignore-immutable", "-r", house.bookmark, "-m", unique)


def deleted_by_jj_and_made_again(house: MovingCode) -> None:
    goal = house.another()
    house.jj("bookmark", "delete", house.bookmark)
    house.jj("bookmark", "set", house.bookmark, "-r", goal)


def by_git_under_jj(house: MovingCode) -> None:
    by_branch(house)
    house.jj("log", "-r", "none()")


JJ_MOVES = (by_jj_bookmark, by_jj_undo, by_jj_rewrite, deleted_by_jj_and_made_again, by_git_under_jj)
