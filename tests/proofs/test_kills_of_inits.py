"""`kill -9` before each step of an init, one after the other: the next one ends it, and the user's stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.house import write
from tests.lab import Lab, Said
from tests.proofs.killing import until
from tests.proofs.steps import struck_at_each
from tests.tally import Kills

INIT = """\
import os, sys
from pathlib import Path
from tests.proofs.steps import kill, watch
from wtwatch import cli
os.chdir(sys.argv[1])
watch(sys.argv[2], Path(sys.argv[3]), kill)
sys.exit(cli.run(["init"]))
"""

WTWATCH = (sys.executable, "-P", "-m", "wtwatch")

OURS = ("refs/heads/runs", "refs/heads/runs-code", "refs/wtwatch/")
"""What refs may be new after an init."""

PARTS = 6
"""Of so many of its 160 steps one is tried, another in each run."""

MINE = '#!/bin/sh\necho mine >> "$HOME/rang"\n'
"""A hook of the user's."""


def _dataset(lab: Lab, top: Path, **files: str) -> None:
    top.mkdir(parents=True, exist_ok=True)
    lab.git("init", "-q", "-b", "main", cwd=top)
    write(top, ".datalad/config", '[datalad "dataset"]\n\tid = 1-2-3\n')
    write(top, ".gitignore", "*.log\n.env\n")
    for name, text in files.items():
        write(top, name.replace("__", "/"), text)
    lab.git("add", "-A", cwd=top)
    lab.git("commit", "-q", "-m", "first", cwd=top)


def _below(lab: Lab, path: str, **files: str) -> None:
    _dataset(lab, lab.main / path, **files)
    lab.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", f"./{path}", path)
    lab.git("commit", "-q", "-m", path)


def _at_work(lab: Lab, code: Path) -> None:
    """Leave what somebody has who works in code: edits of each kind, a stash, a branch, a hook."""
    lab.git("branch", "mine", cwd=code)
    write(code, "a.py", "stashed\n")
    lab.git("stash", "-q", cwd=code)
    write(code, "a.py", "edited\n")
    write(code, "staged.py", "staged\n")
    lab.git("add", "staged.py", cwd=code)
    write(code, "untracked.py", "untracked\n")
    write(code, ".env", "ignored\n")
    hook = Path(lab.git("rev-parse", "--git-common-dir", cwd=code))
    hook = (code / hook).resolve() / "hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(MINE)
    hook.chmod(0o755)


def with_code_below(lab: Lab) -> Path:
    """Return code that is a subdataset, beside one of inputs; with them somebody works."""
    _dataset(lab, lab.main, notes="mine\n")
    _below(lab, "inputs/one", x="1\n")
    _below(lab, "code", **{"a.py": "a = 1\n"})
    write(lab.main, "notes", "edited\n")
    _at_work(lab, lab.code)
    return lab.code


def with_code_as_a_folder(lab: Lab) -> Path:
    """Return the superdataset itself, of which a folder is code."""
    _dataset(lab, lab.main, **{"code__a.py": "a = 1\n", "a.py": "x\n"})
    _below(lab, "inputs/one", x="1\n")
    _at_work(lab, lab.main)
    return lab.main


def belongings(lab: Lab) -> dict[str, Any]:
    """Return what is the user's: files, refs, what HEAD and the index say of each repository."""
    found: dict[str, Any] = {}
    for folder, folders, files in os.walk(lab.main):
        if ".git" in folders:
            folders.remove(".git")
            top = Path(folder)
            refs = lab.git("for-each-ref", "--format=%(refname) %(objectname)", cwd=top).split("\n")
            found[f"{folder}: refs"] = [line for line in refs if not line.startswith(OURS)]
            found[f"{folder}: HEAD"] = (top / ".git/HEAD").read_text()
            found[f"{folder}: index"] = lab.git("ls-files", "--stage", cwd=top)
            found[f"{folder}: stash"] = lab.git("stash", "list", cwd=top)
        for name in files:
            found[str(Path(folder) / name)] = (Path(folder) / name).read_bytes()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("made", [with_code_below, with_code_as_a_folder])
def test_an_init_killed_at_each_step_is_ended_by_the_next_and_the_users_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: Kills, made: Callable[[Lab], Path]
) -> None:
    lab = Lab(tmp_path / "lab")
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):  # which each start anew, too
        monkeypatch.setenv(variable, str(lab.root / variable))
        Path(os.environ[variable]).mkdir(parents=True)
    code = made(lab)
    mine = belongings(lab)
    assert len(mine) > 15
    seen = set()
    part = int.from_bytes(os.urandom(4)) % PARTS
    struck = struck_at_each(lab.root, tmp_path, INIT, str(lab.main), part=part, parts=PARTS)
    for step in kills.each("an init at each step", struck):
        assert belongings(lab) == mine
        assert_ended_by_the_next(lab)
        assert belongings(lab) == mine
        hook = (code / ".git/hooks/post-commit").read_text().splitlines()
        assert hook[0] == MINE.splitlines()[0] and MINE.splitlines()[1] in hook
        seen.add(step.split()[0])
    assert "start" in seen and seen & {"write", "rename", "mkdir"}, "programs and files both"


def assert_ended_by_the_next(lab: Lab) -> None:
    tried: list[Said] = []

    def follows() -> bool:  # what was killed may not be gone yet
        tried.append(lab.say(*WTWATCH, "init", code=(0, 1, 2)))
        return tried[-1].code == 0 and "follows the bookmark" in tried[-1].out

    assert until(follows, 60), f"{tried[:2]}, then {tried[-1]}"
    code, runs = lab.run / "code", "runs"
    assert lab.git("status", "--porcelain", "-uall", cwd=lab.run) == ""
    assert lab.git("symbolic-ref", "--short", "HEAD", cwd=lab.run) == runs
    assert (code / "a.py").read_text() == "a = 1\n"
    assert (lab.run / "inputs/one/x").read_text() == "1\n"
    for tree in (lab.run, lab.run / "inputs/one"):
        mark = Path(lab.git("rev-parse", "--absolute-git-dir", cwd=tree)) / "locked"
        assert "run tree of the wtwatch project" in mark.read_text()
    state = lab.main / ".git/wtwatch/L5b"
    assert sorted(path.name for path in state.glob("journal*")) == []
    assert "L5b" in (Path(os.environ["XDG_CONFIG_HOME"]) / "wtwatch/projects.toml").read_text()
