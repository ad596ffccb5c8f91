"""What the programs that wtwatch drives get from the shell, and what they do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import git_annex
import pytest

from wtwatch.doors.toolenv import _link, for_tools, gathered, own_tools


def test_what_a_hook_or_a_shell_sets_for_itself_goes_no_further() -> None:
    foreign = {
        "GIT_DIR": "x", "GIT_INDEX_FILE": "x", "GIT_WORK_TREE": "x", "GIT_AUTHOR_NAME": "x",
        "GIT_PREFIX": "x",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "x", "VIRTUAL_ENV": "x", "VIRTUAL_ENV_PROMPT": "x",
        "CONDA_PREFIX": "x", "PYTHONPATH": "x", "PYTHONHOME": "x", "NOTIFY_SOCKET": "x", "WATCHDOG_USEC": "1",
        "UV_PROJECT": "x", "UV_PROJECT_ENVIRONMENT": "x",
    }  # fmt: skip
    assert set(for_tools(foreign)) == {"PATH"}


def test_the_users_own_settings_go_along() -> None:
    own = {
        "HOME": "h", "PATH": os.environ["PATH"], "LANG": "de_DE.UTF-8", "GIT_CONFIG_GLOBAL": "g",
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_SSH_COMMAND": "ssh -v", "GIT_ASKPASS": "a", "SSH_AUTH_SOCK": "s",
        "UV_CACHE_DIR": "c", "DATALAD_LOG_LEVEL": "debug",
    }  # fmt: skip
    assert for_tools(own) == own


def test_a_path_without_datalad_gets_a_folder_at_its_end_with_the_tools_alone() -> None:
    folder = Path(for_tools({"PATH": "/usr/bin:/bin"})["PATH"].removeprefix("/usr/bin:/bin:"))
    names = {tool.name for tool in folder.iterdir()}
    assert {"git-annex", "datalad"} <= names
    assert not names & {"python", "python3", "pip", "wtwatch", "pytest"}
    answer = subprocess.run([folder / "datalad", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("datalad")


def test_git_annex_is_started_without_a_python_and_knows_kinds_of_files(tmp_path: Path) -> None:
    program = own_tools() / "git-annex"
    assert program.read_text().startswith("#!/bin/sh\n")
    by_pip = (sys.executable, "-c", "from git_annex import cli; cli()")
    said = [
        subprocess.run([*one, "version", "--raw"], capture_output=True, text=True, check=True).stdout
        for one in ((program,), by_pip)
    ]
    assert said[0] == said[1] != ""
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1")
    (tmp_path / "text").write_text("no picture\n")
    add = f"git init -q . && {program} init -q && {program} add -q -c annex.largefiles=mimetype=image/png ."
    subprocess.run(add, shell=True, cwd=tmp_path, check=True)
    assert ((tmp_path / "picture").is_symlink(), (tmp_path / "text").is_symlink()) == (True, False)


def test_so_is_one_that_pip_put_elsewhere_and_any_other_is_left_as_it_is(tmp_path: Path) -> None:
    tool, links, other = (tmp_path / name for name in ("tool/bin", "links", "other"))
    for folder in (tool, links, other):
        folder.mkdir(parents=True)
    packages = tmp_path / "tool/lib/python3.13/site-packages"
    packages.mkdir(parents=True)
    (packages / "git_annex").symlink_to(Path(git_annex.__file__).parent)
    (tool / "git-annex").write_text(f"#!{sys.executable}\nfrom git_annex import cli\ncli()\n")
    (tool / "git-annex").chmod(0o755)
    (links / "git-annex").symlink_to(tool / "git-annex")
    (other / "git-annex").symlink_to(Path(git_annex.__file__).with_name("git-annex"))
    quick = gathered([str(links)], ()) / "git-annex"
    assert quick.read_text().startswith("#!/bin/sh\n") and "/tool/lib/python3.13/" in quick.read_text()
    plain = gathered([str(other)], ()) / "git-annex"
    assert plain.is_symlink() and plain.readlink() == other / "git-annex"
    asked = [
        subprocess.check_output([one, "version", "--raw"]) for one in (quick, plain, links / "git-annex")
    ]
    assert len({*asked}) == 1
    (packages / "git_annex").unlink()  # as where another Python was installed for it
    assert subprocess.check_output([quick, "version", "--raw"]) == asked[0]


def test_a_tool_that_is_gone_from_beside_us_is_gone_from_the_folder_too() -> None:
    folder = own_tools()
    (folder / "datalad-of-yesterday").symlink_to("/nowhere")
    (folder / "datalad").unlink()
    _link(folder)
    assert not (folder / "datalad-of-yesterday").is_symlink() and (folder / "datalad").exists()


def test_where_no_folder_can_be_made_the_tools_are_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert (own_tools() / "git-annex").exists()
