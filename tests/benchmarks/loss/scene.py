"""The place of a situation: a small project, its run tree in one of two modes, and the bookmark's move."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

from tests.benchmarks.loss.situation import Content, Files, Gitlink, Link, Script, Situation
from tests.house import House
from tests.lab import eventually
from wtwatch.project import config, listing
from wtwatch.words.model import Sha

Mode = Literal["detached", "symbolic"]
"""How HEAD of the run tree's code stands: detached at applied (jj ≥ 0.39 leaves it so, and wtwatch), or on
the branch that is the bookmark, which is moved from outside (older jj, `git update-ref`)."""

MODES: tuple[Mode, ...] = ("detached", "symbolic")

_HOUR = 3600
_AUTHOR = "Lab Author <lab@example.org> 1700000000 +0000"


class Scene:
    """A house in one mode; what situations do to its run tree goes through here.

    ``elsewhere`` is a folder outside of both trees. What is in ``later`` is done when one way was gone, as
    by a program that works on; it returns the path and the bytes that must be found then.
    """

    def __init__(self, house: House, mode: Mode, undo: ExitStack) -> None:
        self.house, self.mode, self.undo = house, mode, undo
        self.code = house.code
        self.elsewhere = house.project.main_tree.parent / "elsewhere"
        self.applied = house.head()
        self.tip = self.applied
        self.later: list[Callable[[], tuple[str, bytes]]] = []

    def git(self, *args: str, code: int = 0) -> str:
        """Run git in the run tree's code."""
        return self.house.here(*args, code=code)

    def asks(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Return what git says, in the run tree's code unless told otherwise, or nothing where it fails."""
        return asked(cwd or self.code, *args, env=env)

    def set(self, key: str, value: str) -> None:
        """Set an option of git for all trees of code."""
        self.house.git("config", key, value)

    def write(self, path: str, content: Content) -> Path:
        """Put something at a path of the run tree's code in place of what is there; return the path."""
        place = self.code / path
        if place.is_symlink() or place.is_file():
            place.unlink()
        if content is None:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        elif not isinstance(content, Gitlink):
            place.write_bytes(_bytes(content))
        if isinstance(content, Script):
            place.chmod(0o755)
        return place

    def add(self, path: str, content: Content) -> None:
        """Write a file and stage it."""
        self.write(path, content)
        self.git("--literal-pathspecs", "add", "-f", "--", path)

    def commit(self, path: str, content: Content) -> Sha:
        """Commit a file in the run tree's code, wherever its HEAD is; return the commit."""
        self.add(path, content)
        self.git("commit", "-q", "-m", f"here: {path!a}")
        return self.house.head()

    def start(
        self,
        *command: str,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        ready: Callable[[], bool] = lambda: True,
    ) -> subprocess.Popen[bytes]:
        """Start a program, in the run tree's code unless told otherwise; it ends with the situation."""
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=cwd or self.code, stdin=stdin, stdout=null, stderr=null, start_new_session=True
        )
        self.undo.callback(process.wait)
        self.undo.callback(_kill_all, process.pid)
        eventually(ready)
        return process

    @cached_property
    def git_dir(self) -> Path:
        """The git directory of the run tree's code."""
        return Path(self.git("rev-parse", "--absolute-git-dir"))

    def move_bookmark(self, situation: Situation) -> None:
        """Make the tip and point the bookmark to it, from outside of the run tree."""
        begin: dict[str, Sha | None] = {"applied": self.applied, "nothing": None}
        if situation.onto == "before":
            begin["before"] = Sha(self.git("rev-parse", f"{self.applied}^"))
        self.tip = committed(self.house, situation.tip, begin[situation.onto])


def _kill_all(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@contextmanager
def made(root: Path, mode: Mode, situation: Situation) -> Iterator[Scene]:
    """Build a project in the folder ``root``, with a clean run tree of which wtwatch knows."""
    house = House.built(root)
    config.write_project(house.project)
    listing.register(house.project.name, house.project.state)
    for key, value in situation.settings.items():
        house.git("config", key, value)
    applied = committed(house, situation.given, house.head()) if situation.given else house.head()
    if mode == "symbolic":
        house.here("checkout", "-q", house.project.bookmark)
        house.git("update-ref", "-d", house.tree.applied_ref)
    else:
        house.here("checkout", "-q", "--detach", applied)
        house.git("update-ref", house.tree.applied_ref, applied)
    _grow_older(house)
    with ExitStack() as undo:
        yield Scene(house, mode, undo)


def asked(folder: Path, *args: str, env: Mapping[str, str] | None = None) -> str:
    """Return what git says in a folder, all of its bytes, or nothing where it fails."""
    env = os.environ | dict(env or {})
    done = subprocess.run(["git", *args], cwd=folder, env=env, capture_output=True, check=False)
    return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else ""


def _grow_older(house: House) -> None:
    """Make the files an hour old and git's index sure of them, as in a tree that stood for a while."""
    then = time.time() - _HOUR
    for path in asked(house.code, "ls-files", "-z").split("\0"):
        if path and not (house.code / path).is_dir():
            os.utime(house.code / path, (then, then), follow_symlinks=False)
    house.here("update-index", "-q", "--refresh")


def committed(house: House, files: Files, parent: Sha | None) -> Sha:
    """Make a commit of files, byte for byte, and point the bookmark to it (git-fast-import(1)).

    No work tree, index or HEAD has a part in that, as when jj or a fetch moves a bookmark.
    """
    changes = b"".join(_change(path, content) for path, content in files.items())
    start = f"from {parent}\n" if parent else ""
    head = f"commit {house.project.bookmark_ref}\ncommitter {_AUTHOR}\ndata 4\nmore\n{start}"
    fed = subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        cwd=house.project.main_code,
        input=head.encode() + changes,
        capture_output=True,
        check=False,
    )
    assert fed.returncode == 0, fed.stderr
    return Sha(house.git("rev-parse", house.project.bookmark_ref))


def _change(path: str, content: Content) -> bytes:
    quoted = '"' + "".join(f"\\{byte:03o}" for byte in os.fsencode(path)) + '"'
    if content is None:
        return f"D {quoted}\n".encode()
    if isinstance(content, Gitlink):
        return f"M 160000 {content.commit} {quoted}\n".encode()
    mode = "120000" if isinstance(content, Link) else "100755" if isinstance(content, Script) else "100644"
    data = _bytes(content)
    return f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data + b"\n"


def _bytes(content: Content) -> bytes:
    match content:
        case Link(text) | Script(text):
            return os.fsencode(text)
        case bytes():
            return content
        case _:
            return str(content).encode()
