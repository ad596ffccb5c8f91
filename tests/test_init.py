"""`wtwatch init`: what it makes, what it takes over, and what it refuses without a trace."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeLab
from tests.lab import Lab, Said, eventually
from wtwatch import cli, config, init, worktrees
from wtwatch.commands.front import known
from wtwatch.errors import UsageError, WtwatchError
from wtwatch.files import write_whole
from wtwatch.init import Wish
from wtwatch.repo import Repo

Say = Callable[..., Said]


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line in this process: `say(folder, "init", code=2)`."""

    def call(where: Path, *words: str, code: int = 0) -> Said:
        monkeypatch.chdir(where)
        capfd.readouterr()
        got = cli.run(words)
        out, err = capfd.readouterr()
        assert "Traceback" not in err, err
        assert got == code, f"{words}: exit {got}\n{out}\n{err}"
        return Said(got, out, err)

    return call


def traces(root: Path) -> dict[str, Any]:
    """Return all that a refused `init` must leave alone: refs, worktrees, files, settings, registry."""
    found: dict[str, Any] = {"registry": config.registry_file().exists() and config.registered()}
    for folder, folders, files in os.walk(root):
        inside_git = ".git" in Path(folder).parts
        for name in [*folders, *files]:
            path = Path(folder) / name
            if name == ".git" and not Repo(Path(folder)).succeeds("rev-parse"):
                continue
            if name == ".git":
                repo = Repo(Path(folder))
                found[f"{folder} refs"] = repo.refs()
                found[f"{folder} trees"] = repo.git("worktree", "list", "--porcelain")
                found[f"{folder} settings"] = repo.git("config", "--list", "--local")
                found[f"{folder} HEAD"] = (repo.branch(), repo.resolve("HEAD"))
            if not inside_git or "wtwatch" in path.parts or "hooks" in path.parts:
                found[str(path)] = path.is_dir() or os.path.lexists(path)
    return found


def refused(say: Say, lab: Lab, *words: str, where: Path | None = None, code: int = 2) -> str:
    """Return what a refused `init` said; it is one error with a way out, and nothing is changed."""
    before = traces(lab.root)
    said = say(where or lab.main, "init", *words, code=code)
    assert said.err.count("Error: ") == 1 and "Hint: " in said.err, said.err
    assert said.out == ""
    after = traces(lab.root)
    assert after == before, {key: (before.get(key), after.get(key)) for key in before | after
                             if before.get(key) != after.get(key)}  # fmt: skip
    return said.err


def hint_of(error: str) -> list[str]:
    """Return the commands that a hint lists, one a line."""
    return [line.strip() for line in error.partition("Hint: ")[2].splitlines() if line.startswith("  ")]


# what it makes


def test_a_new_run_tree_is_nested_shares_the_annex_and_is_locked(say: Say, lab: Lab) -> None:
    said = say(lab.main, "init")

    assert "Made the run tree" in said.out and said.err == ""
    assert Repo(lab.run).branch() == "runs" == Repo(lab.run / "inputs" / "L5b_2p").branch()
    assert Repo(lab.run_code).branch() is None
    assert lab.commit("HEAD", lab.run_code) == lab.commit("refs/heads/runs")
    for tree in (Path(), Path("inputs/L5b_2p")):
        assert worktrees.shares_annex(lab.main / tree, lab.run / tree)
        assert (Repo(lab.run / tree).git_dir() / "annex").exists()
    for tree in (lab.run, lab.run / "inputs" / "L5b_2p", lab.run_code):
        assert "run tree of the wtwatch project L5b" in (Repo(tree).git_dir() / "locked").read_text()
        assert Repo(tree).changes().clean
    assert config.registered() == {"L5b": lab.main / ".git" / "wtwatch" / "L5b"}
    assert (lab.code / ".git" / "hooks" / "post-commit").exists()
