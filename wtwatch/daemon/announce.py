"""Tell the user by a command of theirs: of what needs them, once a cause, and of a batch that is over.

The commands are settings of the project, which lie in its git directory: never in a tracked file. What is to
be told is in a file of its own before it is noted as told, and the command takes that file away as its first
act, which works once. So wherever a daemon is killed, the next one goes on: a cause may then be told once
more, and is never not told. Commands run beside the ticks, a few at a time and of a project one after
another, in process groups of their own, and not for ever.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from wtwatch.daemon.causes import Cause
from wtwatch.doors.files import write_whole
from wtwatch.project.config import Project
from wtwatch.views.terminal import harmless

LIMIT = 60.0
"""Seconds after which a command that still runs is ended."""

AT_ONCE = 2
"""Commands that run side by side, of all projects."""

MOST = 100
"""Causes of one project that may wait for their command; more are in the log alone."""

OUTPUT = 65536
"""Bytes that a command may print; to write more fails for it."""

_CLAIM = 'rm -- "$1" 2>/dev/null || exit 0; exec /bin/sh -c "$0"'
"""Begins the command ``$0`` if it can take the file ``$1`` away (unlink(2): of two, one can)."""

_log = logging.getLogger("wtwatch")


def post(project: Project, causes: Iterable[Cause]) -> None:
    """Write down what is to be told; a cause that waits already is written anew."""
    folder = _folder(project)
    for cause in causes:
        folder.mkdir(mode=0o700, exist_ok=True)
        if len(waiting(project)) >= MOST:
            _log.warning("%s: too much waits to be told; this is not: %s", project.name, dict(cause.facts))
            continue
        text = {"version": 1, "setting": cause.setting, "facts": dict(cause.facts)}
        write_whole(folder / f"{cause.key}.json", json.dumps(text))


def waiting(project: Project) -> list[Path]:
    """Return the files of what waits to be told, oldest first."""
    found = []
    with suppress(FileNotFoundError):  # nothing was ever to be told
        for entry in os.scandir(_folder(project)):
            with suppress(FileNotFoundError):  # its command began this moment
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [file for _, file in sorted(found)]


def _folder(project: Project) -> Path:
    return project.state / "announcements"


class Crier:
    """Runs the commands of what waits to be told, in threads that end when nothing does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[Path, Project] = {}
        self._at_work: set[Path] = set()
        self._threads = 0

    def tell(self, project: Project) -> None:
        """Have what waits of this project be told, some time from now; returns at once."""
        with self._lock:
            self._asked[project.state] = project
            if self._threads < AT_ONCE:
                self._threads += 1
                threading.Thread(target=self._work, name="announce", daemon=True).start()

    def is_silent(self) -> bool:
        """Return whether nothing is being told."""
        with self._lock:
            return not self._threads

    def _work(self) -> None:
        while project := self._next():
            try:
                for file in waiting(project):
                    _run(project, file)
            except Exception as error:
                _log.warning("%s: what is to be told cannot be: %r", project.name, error)
            with self._lock:
                self._at_work.discard(project.state)

    def _next(self) -> Project | None:
        """Return a project that nobody tells of now, ``None`` if this thread is not needed."""
        with self._lock:
            for state, project in self._asked.items():
                if state not in self._at_work:
                    del self._asked[state]
                    self._at_work.add(state)
                    return project
            self._threads -= 1
            return None


def _run(project: Project, file: Path) -> None:
    """Run the command for what a file says; whatever comes of that, this very file is gone then."""
    commands = {"on_attention": project.on_attention, "on_batch_end": project.on_batch_end}
    command, facts = "", {}
    try:
        which = _identity(file)
        text = json.loads(file.read_text(encoding="utf-8"))
        command = commands[text["setting"]]
        facts = {str(name): str(value) for name, value in text["facts"].items()}
    except FileNotFoundError:
        return
    except (ValueError, KeyError, AttributeError, TypeError):  # of another version
        _log.warning("%s: %s cannot be read, so it is not told", project.name, file)
    if command:
        _attend(project.name, command, file, facts)
    with suppress(FileNotFoundError):
        if _identity(file) == which:  # else the same cause came up anew
            file.unlink()


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def _attend(project: str, command: str, file: Path, facts: Mapping[str, str]) -> None:
    """Run a command to its end, or to the end of its time; of what goes wrong the log tells."""
    with os.fdopen(_paper(), "r+b") as said:
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _CLAIM, command, str(file)],
                cwd="/",
                env=os.environ | dict(facts),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            _log.warning("%s: %r cannot be run: %s", project, command, error)
            return
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _log.warning("%s: %r took over %.0f s and was ended", project, command, LIMIT)
            return
        if code:
            said.seek(0)
            printed = os.fsdecode(said.read(4096).rstrip(b"\0"))
            shown = " ".join(printed.split()) or "it printed nothing"
            _log.warning("%s: %r ended with %d: %s", project, command, code, harmless(shown[:500]))


def _paper() -> int:
    """Return a file in memory of a size that cannot grow (memfd_create(2), F_SEAL_GROW).

    No pipe, which what the command leaves running would hold; and no file that it could fill a disk with.
    """
    handle = os.memfd_create("wtwatch-announce", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(handle, OUTPUT)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return handle
