"""The datasets in which the table is played: built once for a worker, then laid out anew for each play.

They lie in the same folder each time, since worktrees have whole paths in them, and so have records.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests import building
from wtwatch.project.config import Project, read_project
from wtwatch.project.tree import RunTree

FIXED = {
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+0100",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+0100",
    "GIT_ANNEX_VECTOR_CLOCK": "1767319445",
}
"""What makes commits, those of git-annex too, the same at any time."""

BUILD = r"""
dataset() { # PATH NUMBER
    git init -q "$1"
    mkdir "$1/.datalad"
    printf '[datalad "dataset"]\n\tid = 00000000-0000-4000-8000-00000000000%s\n' "$2" > "$1/.datalad/config"
}
annexed() { # PATH NUMBER
    dataset "$1" "$2"
    printf '* annex.backend=MD5E\n**/.git* annex.largefiles=nothing\n*.md annex.largefiles=nothing\n' \
        > "$1/.gitattributes"
    printf 'config annex.largefiles=nothing\n' > "$1/.datalad/.gitattributes"
    git -C "$1" annex init -q
    git -C "$1" annex initremote -q store type=directory directory="$PWD/store" encryption=none
}
saved() { # PATH SUBDATASET...
    where=$1 && shift
    for sub; do
        git -C "$where" config -f .gitmodules "submodule.$sub.path" "$sub"
        git -C "$where" config -f .gitmodules "submodule.$sub.url" "./$sub"
        git -C "$where" config "submodule.$sub.active" true
        git -C "$where" config "submodule.$sub.url" "./$sub"
    done
    if [ -e "$where/.git/annex" ]; then git -C "$where" annex add -q .; fi
    git -C "$where" add -A
    git -C "$where" commit -qm 'by hand'
}
mkdir store
annexed main 1; annexed main/sub 2; annexed main/sub/deep 3; dataset main/notes 4; dataset main/code 5
cd main
mkdir raw out
for name in a b absent; do echo "raw $name" > raw/$name.dat; echo "$name" > sub/$name.dat; done
for name in a b c; do echo "old $name" > out/$name.dat; done
echo deep > sub/deep/a.dat
echo old > sub/old.dat; echo old > sub/deep/old.dat; echo old > old.md; echo old > notes/old.txt
printf '#!/bin/sh\necho "$@"\n' > code/say.sh
saved code; saved notes; saved sub/deep; saved sub deep; saved . sub notes code
git -C code branch runs
git annex move -q --to store raw/absent.dat
git -C sub annex move -q --to store absent.dat
"$PYTHON" -P -m wtwatch init --env none --no-hooks --run-tree ../run --name p
cd ../run
git -C code checkout -q --detach
"""


class Scene(NamedTuple):
    """The folder with the datasets; ``kept`` beside it has copies of it to begin anew from."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def project(self) -> Project:
        return read_project(self.root / "main/.git/wtwatch/p/config.toml")

    @property
    def tree(self) -> RunTree:
        return RunTree.of(self.project)

    def build(self) -> None:
        self.root.mkdir(parents=True)
        self.shell(BUILD, self.root, {"PYTHON": sys.executable})
        self.keep("base")

    def keep(self, name: str) -> None:
        """Remember how everything is now, under a name."""
        self._remove(self._kept(name))
        building.copy(self.root, self._kept(name))

    def lay(self, name: str) -> None:
        """Make everything as it was when that name was given."""
        self._remove(self.root)
        building.copy(self._kept(name), self.root)

    def shell(self, script: str, cwd: Path | None = None, more: Mapping[str, str] | None = None) -> None:
        """Run lines of a shell, in the run tree unless told otherwise; none of them may fail."""
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=cwd or self.run,
            env=os.environ | FIXED | dict(more or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    def _kept(self, name: str) -> Path:
        return self.root.with_name(f"{self.root.name}-{name}")

    def _remove(self, folder: Path) -> None:
        if folder.exists():
            subprocess.run(["chmod", "-R", "u+w", "--", folder], check=True)
            subprocess.run(["rm", "-rf", "--", folder], check=True)
