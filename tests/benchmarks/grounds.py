"""The projects to measure on: the story's, with as many more annexed files as wanted, some watched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests import building
from tests.lab import Driver, Lab
from tests.room import sealed_env
from wtwatch.project.listing import registry_file

FILES_IN_A_FOLDER = 250


@dataclass(frozen=True)
class Grounds:
    """A template of the project, to be copied as often as wanted; ``env`` is the sealed room."""

    root: Path
    env: dict[str, str]

    @classmethod
    def made(cls, root: Path, base: dict[str, str]) -> Grounds:
        """Build the template at ``root``; ``base`` is the environment that the tools are found in."""
        env = sealed_env(root / "home", root / "uv-cache", base)
        (root / "template").mkdir(parents=True)
        building.build(root / "template", env)
        return cls(root, env)

    def lab(self, name: str, files: int = 0, code: int = 0, driver: Driver = "git") -> Lab:
        """Return a new copy of the project with ``files`` more annexed files, and ``code`` more of code."""
        shutil.rmtree(self.root / name, ignore_errors=True)
        lab = Lab.copied(self.root / "template", self.root / name, driver)
        if code:
            add_code(lab, code)
        if driver == "jj":
            building.let_jj_drive(lab.code, self.env)
        if files:
            add_annexed(lab, files)
        return lab

    def watched(
        self, name: str, files: int = 0, code: int = 0, driver: Driver = "git", alone: bool = True
    ) -> Lab:
        """Return such a copy with a run tree by `wtwatch init`; ``alone``: no other project is registered."""
        lab = self.lab(name, files, code, driver)
        if alone:
            registry_file().unlink(missing_ok=True)
        lab.wtwatch("init", "--name", name)
        return lab

    def by_hand(self, name: str, files: int = 0, code: int = 0) -> Lab:
        """Return such a copy with a run tree as one makes it by hand."""
        lab = self.lab(name, files, code)
        lab.handmade_run_tree()
        return lab

    def folder(self, name: str, files: int = 0, code: int = 0) -> Lab:
        """Return a copy of the project whose code is a folder of the superdataset, and no repository."""
        lab = self.lab(name, files, code)
        lab.git("rm", "--quiet", "--cached", "code")
        shutil.rmtree(lab.code / ".git")
        with (lab.main / ".gitattributes").open("a", encoding="utf-8") as attributes:
            attributes.write("code/** annex.largefiles=nothing\n")
        for where in (("-f", ".gitmodules"), ()):
            lab.git("config", *where, "--remove-section", "submodule.code")
        lab.git("add", ".gitattributes", ".gitmodules", "code")
        lab.git("commit", "--quiet", "--no-verify", "-m", "code is a folder")
        return lab


def add_code(lab: Lab, files: int) -> None:
    """Commit more files to code: 250 a folder, beside the package."""
    for number in range(files):
        folder, name = divmod(number, FILES_IN_A_FOLDER)
        file = lab.code / "more" / f"part-{folder:03}" / f"step_{name:03}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"STEP = {number}\n" * 20)
    lab.git("add", "more", cwd=lab.code)
    lab.git("commit", "--quiet", "-m", f"{files} files of code", cwd=lab.code)
    lab.git("update-index", "--cacheinfo", f"160000,{lab.commit('HEAD')},code")
    lab.git("commit", "--quiet", "--no-verify", "-m", "more code")


def add_annexed(lab: Lab, files: int) -> None:
    """Commit links to annexed files whose content is elsewhere, as in a fresh clone: 250 a folder."""
    for number in range(files):
        folder, name = divmod(number, FILES_IN_A_FOLDER)
        link = lab.main / "raw" / f"session-{folder:04}" / f"trial-{name:03}.bin"
        if name == 0:
            link.parent.mkdir(parents=True)
        key = f"MD5E-s{number + 1}--{number:032x}.bin"
        link.symlink_to(f"../../.git/annex/objects/{number % 97:02}/{number % 89:02}/{key}/{key}")
    lab.git("add", "raw")
    lab.git("commit", "--quiet", "--no-verify", "-m", f"{files} annexed files")


def add_content(lab: Lab) -> None:
    """Put the content of those files there; in a run tree that is made later, too."""
    for link in (lab.main / "raw").rglob("*.bin"):
        content = Path(os.path.normpath(link.parent / link.readlink()))
        content.parent.mkdir(parents=True)
        content.write_text("x" * int(content.name.partition("--")[0].removeprefix("MD5E-s")))
