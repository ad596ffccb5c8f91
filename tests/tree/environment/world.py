"""A house whose run tree has an environment, with packages that lie beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests import packages
from tests.house import House
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict

BENT = ("UV_NO_EDITABLE", "UV_ACTIVE", "UV_FROZEN", "PIP_USER")
"""Variables by which a shell has installers do otherwise."""


class World(NamedTuple):
    """A house, and a folder of wheels that its code may ask for."""

    house: House
    wheels: Path

    @classmethod
    def built(cls, root: Path, **settings: Any) -> World:
        world = cls(House.built(root / "p", **{"environment": "auto"} | settings), root / "wheels")
        os.environ["UV_FIND_LINKS"] = str(world.wheels)  # the sealed room puts it back
        for version in ("1", "2"):
            packages.wheel(world.wheels, "one", version)
        packages.wheel(world.wheels, "two")
        packages.wheel(world.wheels, "three", needs="two")
        return world

    def having(self, **settings: Any) -> World:
        """Return the same with other settings."""
        root = self.house.project.main_tree.parent
        return World(House.at(root, **{"environment": "auto"} | settings), self.wheels)

    @property
    def tree(self) -> RunTree:
        return self.house.tree

    @property
    def code(self) -> Path:
        return self.house.code

    @property
    def options(self) -> str:
        """The lines by which pip finds those wheels."""
        return f"--no-index\n--find-links {self.wheels}\n"

    @property
    def uv(self) -> str:
        """The table by which uv finds those wheels."""
        return f'[tool.uv]\nno-index = true\nfind-links = ["{self.wheels}"]\n'

    def wanted(self) -> str:
        entries = Repo(self.code).tree("HEAD").values()
        return environment.requirements(self.tree, entries)

    def noted(self) -> Verdict:
        return environment.noted(self.tree, self.wanted())

    def put_right(self, batch: bool = False) -> Verdict:
        """Do as a reconcile does after a move, or before a ``batch``."""
        wanted = self.wanted()
        verdict = environment.look(self.tree, wanted, batch)
        return verdict if verdict.ready else environment.set_up(self.tree, wanted, verdict)

    def move(self, files: Mapping[str, str | None], lock: bool = False) -> Verdict:
        """Commit files in the main tree, have the run tree follow, and its environment be put right."""
        house = self.house
        for path, text in files.items() if lock else ():
            packages_file = house.project.main_code / path
            packages_file.parent.mkdir(parents=True, exist_ok=True)
            packages_file.write_text(text or "")
        if lock:
            self.say("uv", "lock", "-q", cwd=house.project.main_code)
        house.commit({} if lock else files)
        house.sync()
        return self.put_right()

    def by_hand(self, *names: str) -> None:
        """Install packages as somebody does by hand."""
        where = ("--no-index", "--find-links", str(self.wheels))
        self.say("uv", "pip", "install", "-q", "-p", ".venv", *where, *names)

    def value(self, module: str, name: str = "V") -> str:
        """Return what a job finds in a module; "" where there is none."""
        words = [str(self.code / ".venv/bin/python"), "-B", "-c", f"import {module}; print({module}.{name})"]
        done = subprocess.run(words, cwd=self.code.parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def aside(self) -> list[Path]:
        """Return the environments that were set aside."""
        return sorted((self.tree.shelf / "environments").glob("*"))

    def say(self, *words: str, cwd: Path | None = None) -> str:
        env = {name: value for name, value in os.environ.items() if name not in BENT}
        done = subprocess.run(
            words, cwd=cwd or self.code, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


def touch(file: Path, text: str) -> None:
    """Edit a file as it lies, whoever else has it by another link; its time is another afterwards."""
    with file.open("r+") as opened:
        opened.write(text)
        opened.truncate()
    os.utime(file, ns=(1, 1))
