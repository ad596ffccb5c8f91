"""Situations in which something that git does not track lies where the tip has a file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import Link, Script, situation

REPOSITORY = "a repository of its own is in the way"


@situation("an untracked file in the way")
def untracked(at: Scene) -> None:
    at.write("new.py", "mine\n")


@situation("an untracked file that equals the tip's")
def untracked_alike(at: Scene) -> None:
    at.write("new.py", "new = 2\n")


@situation("an untracked file that equals the tip's, but is executable")
def untracked_executable(at: Scene) -> None:
    at.write("new.py", Script("new = 2\n"))


@situation("an untracked symlink in the way")
def untracked_symlink(at: Scene) -> None:
    at.write("new.py", Link("/somewhere/else"))


@situation("an untracked file that the tip lacks")
def untracked_apart(at: Scene) -> None:
    at.write("notes.txt", "mine\n")
    at.write("d/notes.txt", "mine too\n")


@situation("an untracked file in a folder that the tip removes", tip={"d": None})
def untracked_in_removed(at: Scene) -> None:
    at.write("d/notes.txt", "mine\n")
    at.write("d/run.log", "ignored\n")


@situation("an untracked folder in the way of a file")
def untracked_folder(at: Scene) -> None:
    at.write("new.py/notes.txt", "mine\n")
    at.write("new.py/deep/er.txt", Script("mine too\n"))


@situation(
    "an untracked file where the tip has a folder", tip={"pkg/x.py": "x = 1\n", "pkg/deep/y.py": "y\n"}
)
def file_for_folder(at: Scene) -> None:
    at.write("pkg", "mine\n")


@situation("an untracked file in a folder that the tip makes a file", tip={"d": "a file now\n"})
def untracked_in_folder_to_file(at: Scene) -> None:
    at.write("d/notes.txt", "mine\n")


@situation("an ignored file in a folder that the tip makes a file", tip={"d": "a file now\n"})
def ignored_in_folder_to_file(at: Scene) -> None:
    at.write("d/run.log", "mine\n")


@situation("an ignored .env that the tip tracks", tip={".env": "TIP=1\n"})
def ignored_env(at: Scene) -> None:
    at.write(".env", "SECRET=1\n")


@situation(
    "an ignored .env that the tip tracks, no more ignored there",
    tip={".env": "TIP=1\n", ".gitignore": "*.log\n"},
)
def ignored_env_no_more(at: Scene) -> None:
    at.write(".env", "SECRET=1\n")


@situation("an ignored log that the tip tracks", tip={"run.log": "tip\n", "d/run.log": "tip\n"})
def ignored_log(at: Scene) -> None:
    at.write("run.log", "hours of work\n")
    at.write("d/run.log", "hours of work\n")


@situation("an ignored folder in the way of a file", given={".gitignore": "out/\n"}, tip={"out": "a file\n"})
def ignored_folder(at: Scene) -> None:
    at.write("out/result.txt", "mine\n")
    at.write("out/deep/result.bin", b"\0\r\n")


@situation(
    "an ignored folder, some files of which the tip tracks",
    given={".gitignore": "out/\n"},
    tip={"out/result.txt": "tip\n"},
)
def ignored_folder_partly(at: Scene) -> None:
    at.write("out/result.txt", "mine\n")
    at.write("out/other.txt", "mine too\n")


@situation("a file ignored by .git/info/exclude in the way")
def excluded(at: Scene) -> None:
    exclude = at.house.project.main_code / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("new.py\n")
    at.write("new.py", "mine\n")


@situation("a file ignored by the user's own settings in the way")
def excluded_by_user(at: Scene) -> None:
    at.elsewhere.mkdir()
    (at.elsewhere / "ignore").write_text("new.py\n")
    at.set("core.excludesFile", str(at.elsewhere / "ignore"))
    at.write("new.py", "mine\n")


def _environment(at: Scene) -> None:
    at.write(".venv/bin/python", Link("/usr/bin/python3"))
    at.write(".venv/bin/activate", Script("activate\n"))
    at.write(".venv/lib/site.py", "site\n")


@situation(".venv, which the tip tracks as a file", tip={".venv": "a file\n"})
def venv_file(at: Scene) -> None:
    _environment(at)


@situation(".venv, which the tip tracks as a symlink", tip={".venv": Link("../../main/code/.venv")})
def venv_symlink(at: Scene) -> None:
    _environment(at)


@situation(".venv, which the tip tracks as a folder", tip={".venv/bin/activate": Script("tip\n")})
def venv_folder(at: Scene) -> None:
    _environment(at)


@situation(
    ".venv as a symlink, which the tip tracks as a folder", tip={".venv/bin/activate": Script("tip\n")}
)
def venv_is_symlink(at: Scene) -> None:
    at.elsewhere.mkdir()
    (at.elsewhere / "lib.py").write_text("shared\n")
    at.write(".venv", Link(str(at.elsewhere)))


@situation("an environment that the tip leaves alone")
def venv_apart(at: Scene) -> None:
    _environment(at)


def _repository(folder: Path) -> None:
    folder.mkdir()
    commands = (["init", "-q"], ["add", "x.py"], ["commit", "-q", "-m", "inside"])
    (folder / "x.py").write_text("inside\n")
    for command in commands:
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "x.py").write_text("inside, edited\n")


@situation("a repository in the way of a file", tip={"lib": "a file\n"}, stays=REPOSITORY)
def repository(at: Scene) -> None:
    _repository(at.code / "lib")


@situation("a repository where the tip has a folder", tip={"lib/x.py": "tip\n"}, stays=REPOSITORY)
def repository_for_folder(at: Scene) -> None:
    _repository(at.code / "lib")


@situation("a repository deep in a folder in the way of a file", tip={"lib": "a file\n"}, stays=REPOSITORY)
def repository_deep(at: Scene) -> None:
    at.write("lib/notes.txt", "mine\n")
    _repository(at.code / "lib/vendored")


@situation("a work tree of code itself in the way", tip={"wt": "a file\n"}, stays=REPOSITORY)
def worktree(at: Scene) -> None:
    at.git("worktree", "add", "-q", "--detach", str(at.code / "wt"))
    at.write("wt/a.py", "mine\n")


@situation("a symlink to a folder elsewhere where the tip has a folder", tip={"out/x.py": "tip\n"})
def symlink_for_folder(at: Scene) -> None:
    at.elsewhere.mkdir()
    (at.elsewhere / "x.py").write_text("precious\n")
    at.write("out", Link(str(at.elsewhere)))


@situation("an empty folder in the way of a file")
def empty_folder(at: Scene) -> None:
    (at.code / "new.py/deep").mkdir(parents=True)


@situation("a FIFO in the way")
def fifo(at: Scene) -> None:
    os.mkfifo(at.code / "new.py")


@situation("a FIFO in a folder in the way")
def fifo_in_folder(at: Scene) -> None:
    at.write("new.py/notes.txt", "mine\n")
    os.mkfifo(at.code / "new.py/pipe")


@situation("a FIFO in place of a tracked file")
def fifo_for_tracked(at: Scene) -> None:
    at.write("a.py", None)
    os.mkfifo(at.code / "a.py")


@situation("a socket in the way")
def bound_socket(at: Scene) -> None:
    bound = socket.socket(socket.AF_UNIX)
    at.undo.callback(bound.close)
    here = Path.cwd()
    os.chdir(at.code)  # the name of a socket is at most 107 bytes
    bound.bind("new.py")
    os.chdir(here)


def _is_user() -> bool:
    return os.geteuid() != 0


def _can_freeze() -> bool:
    return os.geteuid() == 0 and shutil.which("chattr") is not None


def _freeze(at: Scene, path: Path) -> None:
    subprocess.run(["chattr", "+i", str(path)], check=True)
    at.undo.callback(subprocess.run, ["chattr", "-i", str(path)], check=True)


@situation("an unreadable file in the way", possible=_is_user, stays="a file cannot be read")
def unreadable(at: Scene) -> None:
    at.write("new.py", "mine\n").chmod(0)


@situation("an edited file in a read-only folder", possible=_is_user, stays="a folder is read-only")
def read_only(at: Scene) -> None:
    at.write("d/x.py", "mine\n")
    at.write("d/y.py", "mine\n")
    (at.code / "d").chmod(0o500)
    at.undo.callback((at.code / "d").chmod, 0o700)


@situation("an edited file that is immutable", possible=_can_freeze, stays="a file is immutable")
def immutable(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.write("d/y.py", "mine too\n")
    _freeze(at, at.code / "a.py")


@situation("an edited file in an immutable folder", possible=_can_freeze, stays="a folder is immutable")
def immutable_folder(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.write("d/y.py", "mine too\n")
    _freeze(at, at.code / "d")


@situation(
    "an untracked file in the way that is immutable", possible=_can_freeze, stays="a file is immutable"
)
def immutable_in_the_way(at: Scene) -> None:
    at.write("new.py", "mine\n")
    at.write("a.py", "mine too\n")
    _freeze(at, at.code / "new.py")
