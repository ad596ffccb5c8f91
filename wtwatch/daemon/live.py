"""What the daemon keeps up to date for who looks in passing, in a folder of its own.

That is its heartbeat, a view of each project, and the lines that prompts show.

The folder lies in memory where there is such a place for the user's programs ($XDG_RUNTIME_DIR), so that no
disk is kept awake by it; all find it by the link to it beside the daemon's file.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

from wtwatch.daemon.looks import Looks
from wtwatch.doors import traces
from wtwatch.lanes import notes
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import codetree
from wtwatch.views import glance, keeping
from wtwatch.views.kept import file_of
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.views.text import short_words
from wtwatch.words.errors import WtwatchError

BEAT = 4.0
"""Seconds from one heartbeat to the next; each wakes the processor, which costs more than the beat."""

CALM = 0.2
"""Seconds from a tick to the look at what it left: moves that follow each other at once come first."""

AGAIN = 30.0
"""Seconds to the next look where what was seen cannot be kept, as when somebody edits the run tree."""


class Live:
    """The folder, made anew by each daemon; it must be the only one.

    ``looks`` are shown each project that was looked at.
    """

    def __init__(self, looks: Looks | None = None) -> None:
        self._looks = looks
        self.folder = config.live_folder()
        self._beat = str(self.folder / "beat")
        self._beaten = float("-inf")
        self._found: dict[str, list[Any] | None] = {}
        self._again: dict[str, float] = {}
        self._writing = threading.Lock()
        self._lines: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._ended = False
        self._told: tuple[object, ...] = ()
        with suppress(OSError):  # then nobody sees a beat but that of the daemon's own file
            _make(self.folder)

    def leave(self, project: Project) -> float | None:
        """Leave a view of a project, if what it rests on changed; return in how many seconds to come again.

        ``None``: when something changed. Called by the project's own ticks alone.
        """
        name, found = project.name, None
        try:
            if codetree.is_present(RunTree.of(project)):
                ground = keeping.ground_of(project)
                if ground.is_racy():
                    return CALM
                found = ground.look()
            left = self._again.get(name, inf) - time.monotonic()
            if name in self._found and self._found[name] == found and left > 0:
                return None if left == inf else left
            self._found[name] = found
            return self._look(project)
        except (WtwatchError, OSError):  # it is told by the tick, or by whoever looks
            self.drop(name)
            return None

    def give_way(self, name: str) -> None:
        """Be told that something is to be done in a project, for which looks at its results give way."""
        if self._looks is not None:
            self._looks.give_way(name)

    def _look(self, project: Project) -> float | None:
        seen = keeping.keep(project, os.getpid())
        self._tell_prompts(project, short_words(seen.shown))
        if self._looks is not None and seen.shown.elsewhere is None:  # else the other host looks
            self._looks.see_to(project, seen.shown)
        file, passing = file_of(project.name), Path(glance.file_of(project.name))
        if seen.glance is None:
            passing.unlink(missing_ok=True)
        if seen.kept is None:
            file.unlink(missing_ok=True)
            self._again[project.name] = time.monotonic() + AGAIN
            return AGAIN
        self._again.pop(project.name, None)
        _write_whole(file, seen.kept.text())
        if seen.glance is not None:
            _write_whole(passing, glance.written(seen.glance))
        if seen.racy:
            self._found.pop(project.name, None)
            return CALM
        return None

    def tell_of(
        self, projects: Iterable[Project], registry: list[int] | None, daemon: DaemonSnapshot
    ) -> None:
        """Say which projects there are and how the daemon is; see :func:`keeping.listed`."""
        told = (tuple(projects), registry, daemon)
        if told == self._told:
            return
        self._told, left = told, keeping.listed(*told)
        file = self.folder / glance.PROJECTS
        with suppress(OSError):  # then nobody takes a glance
            if left is None:
                file.unlink(missing_ok=True)
            else:
                _write_whole(file, glance.written(left))

    def _tell_prompts(self, project: Project, words: str) -> None:
        with self._writing:
            if self._lines.get(project.name, (None,))[0] != words:
                self._lines[project.name] = (words, _paths(project))
                self._write_lines()

    def _write_lines(self) -> None:
        """Have each tree's line; that of a folder whose name would break it is left out."""
        lines = sorted((path, words) for words, paths in self._lines.values() for path in paths)
        shown = [f"{path}\t{words}\n" for path, words in lines if path.isprintable()]
        if not self._ended:
            _write_whole(config.prompt_file(), "".join(shown))

    def drop(self, name: str) -> None:
        """Leave nothing of a project."""
        self._found.pop(name, None)
        self._again.pop(name, None)
        with suppress(OSError):
            file_of(name).unlink(missing_ok=True)
            Path(glance.file_of(name)).unlink(missing_ok=True)
            with self._writing:
                if self._lines.pop(name, None):
                    self._write_lines()

    def end(self) -> None:
        """Leave prompts what they show: without a heartbeat it becomes a question mark."""
        self._ended = True

    def beat(self) -> None:
        """Say that the loop turned, if the last time is some while ago.

        That is the seconds since boot, the pid, and the seconds that /proc/uptime tells, which are others in
        some containers.
        """
        if time.monotonic() < self._beaten + BEAT / 2:
            return
        self._beaten = time.monotonic()
        with suppress(OSError):  # gone, or the disk is full: it is seen to stand still
            up = (traces.text("/proc/uptime") or "").partition(".")[0]
            _write(self._beat, f"{int(time.clock_gettime(time.CLOCK_BOOTTIME))} {os.getpid()} {up}")


def _make(folder: Path) -> None:
    """Have an empty folder where ``folder`` is, or where it leads to."""
    target = _in_memory(folder)
    if folder.is_dir():
        for left in folder.iterdir():
            left.unlink()
    if target is None:
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(mode=0o700, exist_ok=True)
        return
    target.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() and folder.readlink() == target:
        return
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    folder.unlink(missing_ok=True)
    folder.symlink_to(target)


def _in_memory(folder: Path) -> Path | None:
    """Return a folder of the user's that is gone after log-out; for each folder of state another."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if not (named.startswith("/") and os.access(named, os.W_OK | os.X_OK)):
        return None
    return Path(named) / f"wtwatch-{zlib.crc32(os.fsencode(folder)):08x}"


def _paths(project: Project) -> tuple[str, ...]:
    """Return the trees of a project, by each of their names."""
    trees = (project.main_tree, project.run_tree, *(lane.path for lane in notes.known(project)))
    return tuple(dict.fromkeys(str(path) for tree in trees for path in (tree, tree.resolve())))


def _write_whole(file: Path, text: str | bytes) -> None:
    """Leave the old file or the new one, but not after a power cut, after which nobody believes it."""
    draft = file.with_name(f".{file.name}")
    draft.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    draft.replace(file)


def _write(file: str, text: str) -> None:
    """Write a file of one length in place; no reader sees a part of so few bytes."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, text.ljust(60).encode("ascii") + b"\n", 0)
    finally:
        os.close(handle)
