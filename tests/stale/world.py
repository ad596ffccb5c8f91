"""A small superdataset with code as a subdataset, whose results were recorded as DataLad does: git alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.words.model import Sha

MESSAGE = """[DATALAD RUNCMD] {message}

=== Do not change lines below ===
{record}
^^^ Do not change lines above ^^^
"""


@dataclass
class World:
    """A superdataset at ``top``; its run tree is itself. ``paths``: code is these paths of it."""

    top: Path
    paths: tuple[str, ...] = ()
    number: count[int] = field(default_factory=lambda: count(1))

    @property
    def code(self) -> Path:
        return self.top if self.paths else self.top / "code"

    @property
    def tree(self) -> RunTree:
        state = self.top / ".git" / "wtwatch" / "small"
        return RunTree.of(Project("small", state, self.top, self.top, paths=self.paths))

    def git(self, *words: str, where: Path | None = None, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.top, input=stdin, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files, named from the top; ``None`` removes one."""
        for path, text in files.items():
            place = self.top / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                place.unlink()
            else:
                place.write_text(text)

    def release(self, files: Mapping[str, str | None], message: str = "Change code") -> Sha:
        """Commit other code, named from the top, and return the commit; results are on it from now on."""
        self.write(files)
        self.git("add", "--all", where=self.code)
        self.git("commit", "--quiet", "--allow-empty", "-m", message, where=self.code)
        if not self.paths:
            self.git("add", "--all")
            self.git("commit", "--quiet", "--allow-empty", "-m", "Pointer")
        return Sha(self.git("rev-parse", "HEAD", where=self.code))

    def save(self, files: Mapping[str, str | None], message: str = "Data") -> Sha:
        """Commit data by hand, and return the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return Sha(self.git("rev-parse", "HEAD"))

    def ran(
        self,
        command: str,
        written: Mapping[str, str],
        inputs: Sequence[str] = (),
        outputs: Sequence[str] | None = None,
        job: bool = True,
        **more: Any,
    ) -> str:
        """Commit what a run made, with its record; return its commit, and the attempt's uuid for a job."""
        code = self.git("rev-parse", "HEAD", where=self.code)
        attempt = f"attempt-{next(self.number)}"
        record: dict[str, Any] = {
            "chain": [],
            "cmd": command,
            "dsid": "8e1f1c9e-0000-4000-8000-000000000000",
            "exit": 0,
            "extra_inputs": [],
            "inputs": list(inputs),
            "outputs": list(written if outputs is None else outputs),
            "pwd": ".",
        }
        if job:
            record["wtwatch"] = {"attempt": attempt, "code": code, **more}
        self.write(written)
        self.git("add", "--all")
        self.git(
            "commit", "--quiet", "-m", MESSAGE.format(message=command, record=json.dumps(record, indent=1))
        )
        return attempt


def made(top: Path, *paths: str) -> World:
    """Make a superdataset with a first commit of code: two scripts that share a module."""
    world = World(top, paths)
    top.mkdir()
    world.git("init", "--quiet", "-b", "main")
    if not paths:
        world.code.mkdir()
        world.git("init", "--quiet", "-b", "main", where=world.code)
    folder = "code/src" if not paths else f"{paths[0]}"
    world.release(
        {
            f"{folder}/one.py": "import shared\nprint(1)\n",
            f"{folder}/two.py": "import shared\nprint(2)\n",
            f"{folder}/shared.py": "x = 1\n",
            f"{folder}/README.md": "Read\n",
        }
    )
    return world
