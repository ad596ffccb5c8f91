"""How all datasets of a run tree stand after a play: what two plays are compared by."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

DATASETS = ("", "sub", "sub/deep", "notes", "code")

Stand = dict[str, list[str]]
"""Lines for each aspect, such as "sub: commits"."""


def stand_of(run: Path, since: dict[str, str]) -> Stand:
    """Look at everything; ``since`` has the commit of each dataset after which commits count as new."""
    found: Stand = {}
    for path in DATASETS:
        there = os.path.lexists(run / path / ".git")
        for aspect, lines in _aspects(run / path, since[path]) if there else [("gone", [])]:
            found[f"{path or 'top'}: {aspect}"] = lines
    return found


def heads(run: Path) -> dict[str, str]:
    """Return the commit at which each dataset stands."""
    return {path: _git(run / path, "rev-parse", "HEAD")[0] for path in DATASETS}


def new_commits(dataset: Path, since: str) -> list[str]:
    """Return the commits on the branch of a dataset after a play, oldest first."""
    return _git(dataset, "rev-list", "--first-parent", "--reverse", f"{since}..HEAD")


def _aspects(dataset: Path, since: str) -> Iterator[tuple[str, list[str]]]:
    yield "commits", _git(dataset, "log", "--format=%H tree %T parents %P%n%an %ad %cn %cd%n%B", f"{since}..")
    yield "branch", _git(dataset, "rev-parse", "--symbolic-full-name", "HEAD")
    yield "index", _git(dataset, "ls-files", "-s", "-v")
    yield "status", _git(dataset, "status", "--porcelain=v2", "--untracked-files=all")
    yield "files", list(_files(dataset))
    common = dataset / _git(dataset, "rev-parse", "--git-common-dir")[0]
    objects = common / "annex/objects"
    contents = (path for path in objects.rglob("*") if path.is_file() and path.suffix != ".lck")
    yield "contents", sorted(f"{path.name} {_facts(path)}" for path in contents)  # but locks on contents
    if objects.is_dir():
        yield "git-annex", _git(dataset, "ls-tree", "-r", "git-annex")


def _files(dataset: Path) -> Iterator[str]:
    """Yield what each file and empty folder of a work tree is, without its subdatasets."""
    for folder, below, names in os.walk(dataset):
        place = Path(folder)
        below[:] = sorted(one for one in below if not os.path.lexists(place / one / ".git"))
        if ".git" in below:
            below.remove(".git")
        links = [one for one in below if (place / one).is_symlink()]
        for name in sorted([*names, *links]):
            if name != ".git":
                yield f"{(place / name).relative_to(dataset)} {_facts(place / name)}"
        if not below and not names:
            yield f"{place.relative_to(dataset)}/"


def _facts(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}, {'there' if path.exists() else 'absent'}"
    return f"{path.stat().st_mode:o} {hashlib.md5(path.read_bytes()).hexdigest()}"


def _git(cwd: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *words],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{words} in {cwd}: {done.stdout}{done.stderr}"
    return done.stdout.splitlines()
