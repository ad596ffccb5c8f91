"""Has the results of projects looked at, beside their ticks: one after the other, each by a process.

Only of a project at rest whose results were not looked at as they are now; a quiet one costs nothing. What is
to be done in a project comes first: a look that is under way is ended then, and made later.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from wtwatch.doors import refs
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.stale import tallyfile
from wtwatch.views.snapshot import ProjectSnapshot
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Freshness

SETTLED = 2.0
"""Seconds from the last change to the look."""

SHARE = 20
"""How many times as long as a look took there is none of that project afterwards."""

LIMIT = 600.0
"""Seconds after which a look is ended."""

_log = logging.getLogger("wtwatch")


class _Wish(NamedTuple):
    project: Project
    rests_on: str
    due: float


class Looks:
    """Done in a thread that is there only while something is due. ``then`` is told of each project's end."""

    def __init__(
        self,
        then: Callable[[str], None],
        command: Sequence[str] = (sys.executable, "-P", "-m", "wtwatch.stale.looking"),
    ) -> None:
        self._then, self._command = then, tuple(command)
        self._lock = threading.Condition()
        self._wished: dict[str, _Wish] = {}
        self._tried: dict[str, str] = {}
        self._rests: dict[str, float] = {}
        self._at: _Wish | None = None
        self._begun = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    def see_to(self, project: Project, shown: ProjectSnapshot) -> None:
        """Be shown how a project stands: have its results looked at soon, if that is due."""
        wanted = _wanted(project, shown)
        with self._lock:
            self._wished.pop(project.name, None)
            if wanted and not self._ended and self._tried.get(project.name) != wanted:
                due = max(time.monotonic() + SETTLED, self._rests.get(project.name, 0.0))
                self._wished[project.name] = _Wish(project, wanted, due)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="looks", daemon=True)
                    self._thread.start()
            self._lock.notify()

    def give_way(self, name: str) -> None:
        """Be told that something is to be done in a project: put off what is wished there, or under way."""
        with self._lock:
            moment, wish = time.monotonic(), self._wished.get(name)
            due = moment + SETTLED
            if self._at is not None and self._at.project.name == name and self._process is not None:
                wish = wish or self._at
                due = max(due, moment + SHARE * (moment - self._begun))
                self._tried.pop(name, None)
                self._at = None
                self._process.kill()
            if wish is not None and not self._ended:
                self._wished[name] = wish._replace(due=max(due, wish.due))

    def is_silent(self) -> bool:
        """Return whether nothing is looked at, nor about to be."""
        with self._lock:
            return self._thread is None

    def drop(self, name: str) -> None:
        """Forget a project."""
        with self._lock:
            self._wished.pop(name, None)
            self._tried.pop(name, None)

    def end(self) -> None:
        """Have no more looks, and end the one that is under way."""
        with self._lock:
            self._ended = True
            self._wished.clear()
            if self._process is not None:
                self._process.kill()
            self._lock.notify()

    def _work(self) -> None:
        while wish := self._next():
            try:
                self._look(wish.project)
            except OSError as error:  # no process can be started just now
                _log.warning("%s: its results could not be looked at: %s", wish.project.name, error)
            with self._lock:
                is_over, self._at = self._at is not None, None
                self._rests[wish.project.name] = time.monotonic() + SHARE * (time.monotonic() - self._begun)
            if is_over:
                self._then(wish.project.name)

    def _next(self) -> _Wish | None:
        """Return what is due, once it is; ``None``, and the thread is over, when nothing is wished."""
        with self._lock:
            while self._wished:
                wish = min(self._wished.values(), key=lambda one: one.due)
                if (left := wish.due - time.monotonic()) <= 0:
                    del self._wished[wish.project.name]
                    self._tried[wish.project.name] = wish.rests_on
                    self._at, self._begun = wish, time.monotonic()
                    return wish
                self._lock.wait(left)
            self._thread = None
            return None

    def _look(self, project: Project) -> None:
        with self._lock:
            if self._ended or self._at is None:
                return
            self._process = subprocess.Popen(
                [*self._command, str(project.state)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        try:
            said = self._process.communicate(timeout=LIMIT)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            said = self._process.communicate()[1] + b"It took too long, and was ended."
        with self._lock:
            failed = bool(self._process.returncode) and self._at is not None and not self._ended
            self._process = None
        if failed:
            words = said.decode("utf-8", "replace").strip()
            _log.warning("%s: its results could not be looked at: %s", project.name, words)


def _wanted(project: Project, shown: ProjectSnapshot) -> str | None:
    """Return what a look would rest on, if one is wanted: of a project at rest that has results."""
    is_at_work = shown.running or shown.batch or shown.beside or shown.queue.due or shown.queue.settling
    has_results = any(shown.queue.jobs.get(word) for word in ("succeeded", "unchanged"))
    if shown.stale or is_at_work or not has_results or shown.standpoint.freshness is not Freshness.FRESH:
        return None
    with suppress(WtwatchError, OSError):
        tree = RunTree.of(project)
        head = refs.head_of(Repo(tree.path))
        return tallyfile.ground(tree, shown.tip, head) if shown.tip and head else None
    return None
