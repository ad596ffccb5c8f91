"""What git is told not to see for a while: paths of code that are no result, whatever their names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from wtwatch.project.excludes import besides

NAMES = ("__pycache__/m.pyc", "a b*[x]?", "#note", "!not", "back\\slash", "ends ", "größe")


def unseen(top: Path) -> set[str]:
    """Return which untracked files git does not see."""
    words = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    seen = subprocess.run(words, cwd=top, check=True, capture_output=True, encoding="utf-8").stdout
    return {
        str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() and ".git" not in path.parts
    } - {*seen.split("\0")}


def test_paths_of_any_name_are_unseen_besides_what_is_ignored_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    for name in (*NAMES, "a bcx", "src/__pycache__/m.pyc", "nohup.out"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("x")
    subprocess.run(["git", "init", "-q", top], check=True)
    (tmp_path / "told").write_text("nohup.out")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "told"))
    with besides(top, NAMES) as file:
        assert file is not None
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(file))
        assert unseen(top) == {*NAMES, "nohup.out"}
    assert not file.exists()
    with besides(top, ()) as none:
        assert none is None


def test_of_who_was_told_nothing_the_users_own_are_kept(tmp_path: Path) -> None:
    usual = Path(os.environ["XDG_CONFIG_HOME"]) / "git" / "ignore"
    usual.parent.mkdir(parents=True)
    usual.write_text("*.swp")
    subprocess.run(["git", "init", "-q", tmp_path / "top"], check=True)
    with besides(tmp_path / "top", ["m.pyc"]) as file:
        assert file is not None and file.read_text() == "*.swp\n/m.pyc\n"
