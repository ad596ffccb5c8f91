"""What a job uses of the code is learned while its command runs: nothing else runs in its tree.

Watches on folders (inotify(7)) tell of each file in them that is opened or written to, and of each listing,
whichever program does it, in whatever language. A thread reads them, so that none is lost.
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from wtwatch.doors import inotify
from wtwatch.doors.inotify import Event, Watches
from wtwatch.doors.proc import all_pids, parents
from wtwatch.doors.processes import session
from wtwatch.job.seen import CACHE, Seen, source_of

MANY = 256
"""Events of one folder in one reading from which on its files are watched each for its first opening."""

LINGERS = 0.2
"""Seconds that processes of a job may go on when its command is over; then it is not known what they use."""

_APART = frozenset(
    (".git", ".jj", ".venv", "node_modules", ".snakemake", ".nextflow", ".ipynb_checkpoints",
     ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox", ".nox")
)  # fmt: skip
"""Folders that are no code: what tools keep for themselves."""

_PROGRAMS = frozenset((".venv", "node_modules", ".snakemake", ".nextflow", ".tox", ".nox"))
"""Those of them in which somebody may keep programs, and have git keep them."""

_OF_GIT = frozenset((b".git", b".gitignore", b".gitattributes", b".gitmodules"))
"""Files that git reads, whoever calls it: they are no part of a program."""

_WRITTEN = inotify.MODIFY | inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO
_FOLDER = inotify.OPEN | inotify.CLOSE_NOWRITE | _WRITTEN | inotify.ONLYDIR
"""Closing is asked for, too, lest two listings in a row are told as one (inotify(7), "identical")."""
_FILE = inotify.OPEN | inotify.MODIFY | inotify.DELETE_SELF | inotify.MOVE_SELF
_GONE = inotify.DELETE | inotify.DELETE_SELF | inotify.MOVED_FROM | inotify.MOVE_SELF

_NO_ROOM = {
    errno.ENOSPC: "inotify has no watch left for this user (fs.inotify.max_user_watches)",
    errno.EMFILE: "inotify has no instance left for this user (fs.inotify.max_user_instances)",
}


class Place(NamedTuple):
    """Where code lies: in the tree ``top`` the paths ``code``, files or folders.

    ``is_apart`` says of a path of the tree whether it is none, though it lies there. ``bytecode`` is where
    Python keeps what it compiles, if not beside the sources. ``starts`` is a file that each Python opens when
    it starts, ``copies`` are places outside of ``code`` that hold packages of it.
    """

    top: Path
    code: tuple[str, ...]
    is_apart: Callable[[str], bool]
    bytecode: str | None = None
    starts: str | None = None
    copies: tuple[str, ...] = ()


class _Found(NamedTuple):
    """What a walk over code found, by paths from the tree's top: folders, links and files at the top.

    ``apart`` are folders that are no code, and were passed over.
    """

    folders: list[str]
    links: list[str]
    files: list[str]
    apart: list[str]


class Learning:
    """Watches over code, from :meth:`begin` to :meth:`end`; what cannot be watched is said in the end."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._is_over = False
        self._lost: str | None = None
        self._watches: Watches | None = None
        self._thread: Thread | None = None
        self._counted: Counter[Event] = Counter()
        self._names: dict[int, list[str]] = {}  # a watch's paths: of folders with a slash at the end
        self._caches: dict[int, str] = {}
        self._copies: dict[int, str] = {}
        self._starts: int | None = None
        self._busy: set[str] = set()
        self._links: list[str] = []
        self._apart: list[str] = []
        self._seen: Seen | None = None

    def begin(self) -> None:
        """Watch from now on: the command is about to start. May be called again, which means nothing."""
        if self._watches is not None or self._lost is not None:
            return
        try:
            self._watches = Watches()
            self._watch_all(self._watches)
        except OSError as error:
            self._lost = _NO_ROOM.get(error.errno or 0, f"code cannot be watched: {error}")
            return
        self._thread = Thread(target=self._read, name="uses", daemon=True)
        self._thread.start()

    def _watch_all(self, watches: Watches) -> None:
        place = self._place
        found = _walk(place)
        self._links, self._apart = found.links, found.apart
        compiled = list(self._compiled(found.folders))
        for path in found.folders:
            self._watch(watches, f"{path}/", _FOLDER)
        for path in found.files:
            self._watch(watches, path, _FILE)
        for path in found.links:
            with suppress(FileNotFoundError):  # one that leads nowhere cannot be opened
                if not os.path.isdir(self._full(path)):  # noqa: PTH112
                    self._watch(watches, path, inotify.OPEN | inotify.MASK_ADD)
        for folder, full in compiled:
            self._caches[watches.add(full, inotify.OPEN)] = folder
        for full in place.copies:
            for where in _with_compiled(full, place.bytecode):
                with suppress(FileNotFoundError):
                    self._copies[watches.add(where, inotify.OPEN)] = full
        if place.starts:
            with suppress(FileNotFoundError):
                self._starts = watches.add(place.starts, inotify.OPEN | inotify.CLOSE_NOWRITE)

    def _watch(self, watches: Watches, path: str, mask: int) -> None:
        """Watch a path of the tree; several may lead to the same file, which has one watch."""
        names = self._names.setdefault(watches.add(self._full(path), mask), [])
        if path not in names:
            names.append(path)

    def _compiled(self, folders: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield where Python keeps what it compiled of folders, as far as that is there."""
        if not self._place.bytecode:
            return
        for path in folders:
            full = self._place.bytecode + self._full(path)
            if os.path.isdir(full):  # noqa: PTH112
                yield path, full

    def _full(self, path: str) -> str:
        return os.path.join(self._place.top, path)  # noqa: PTH118 - very many

    def _read(self) -> None:
        """Take up what is seen, until :meth:`end`; nothing else is done here, lest something is lost."""
        assert self._watches is not None
        try:
            while True:
                self._watches.wait()
                events = self._watches.read()
                if not events and self._is_over:
                    return
                self._counted.update(events)
                if len(events) > MANY:
                    self._calm(events)
        except Exception as error:  # whatever it was: what was seen is not all
            self._lost = f"what was seen of code could not be taken up: {error}"

    def _calm(self, events: Sequence[Event]) -> None:
        """Have files that are opened again and again told once, and their folder as a listed one."""
        assert self._watches is not None
        for watch, number in Counter(event.watch for event in events).items():
            if number <= MANY or watch < 0:
                continue
            for path in self._names.get(watch, ()):
                if path.endswith("/") and path not in self._busy:
                    self._busy.add(path)
                    self._watch_each(self._watches, path)
                elif path in self._place.code:
                    self._watches.add(self._full(path), _FILE & ~inotify.OPEN)
                elif not path.endswith("/"):
                    self._watches.add(self._full(path), inotify.OPEN | inotify.ONESHOT)

    def _watch_each(self, watches: Watches, folder: str) -> None:
        try:
            with os.scandir(self._full(folder)) as entries:
                names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
            for name in names:
                with suppress(FileNotFoundError):
                    self._watch(watches, folder + name, inotify.OPEN | inotify.ONESHOT)
            watches.add(self._full(folder), _WRITTEN | inotify.ONLYDIR)
        except OSError as error:
            self._lost = _NO_ROOM.get(error.errno or 0, f"code cannot be watched: {error}")

    def end(self) -> Seen:
        """Return what was seen until now: the command is over. May be called again, for the same."""
        if self._seen is None:
            if self._watches is not None and self._thread is not None:
                self._is_over = True
                self._watches.wake()
                self._thread.join()
                self._lost = self._lost or _still_there()
            if self._watches is not None:  # for which the kernel waits 15 ms, and nobody else has to
                Thread(target=self._watches.close, name="uses, closing", daemon=True).start()
            self._seen = self._summed()
        return self._seen

    def _summed(self) -> Seen:
        seen = Seen(lost=self._lost if self._thread is not None or self._lost else "code was not watched")
        seen.listed.update(dict.fromkeys((path.rstrip("/") for path in self._busy), MANY))
        seen.links.update(self._links)
        seen.apart.update(self._apart)
        for event, number in self._counted.items():
            if event.mask & inotify.OVERFLOW:
                seen.lost = "so much was opened at once that some of it was not seen"
            elif event.watch == self._starts:
                seen.starts += number if event.mask & inotify.OPEN else 0
            elif event.watch in self._copies:
                seen.copies.add(self._copies[event.watch])
            elif event.watch in self._caches:
                if event.mask & inotify.OPEN and not event.mask & inotify.ISDIR:
                    path = f"{self._caches[event.watch]}/{CACHE}/{os.fsdecode(event.name)}"
                    seen.compiled[source_of(path)] += number
            else:
                for path in self._names.get(event.watch, ()):
                    _add(seen, path, event, number)
        return seen


def _add(seen: Seen, path: str, event: Event, number: int) -> None:
    """Take up what a watch on ``path`` told; what it told of a folder in another is told by its own, too."""
    full = path + os.fsdecode(event.name)
    if event.name in _OF_GIT:
        return
    if event.mask & inotify.ISDIR:
        if event.mask & inotify.OPEN and not event.name:
            seen.listed[path.rstrip("/")] += number
        if event.mask & _GONE and event.name:
            seen.away.add(full)
        return
    if event.mask & inotify.OPEN:
        source = source_of(full)
        (seen.opened if source == full else seen.compiled)[source] += number
    if event.mask & inotify.MODIFY:
        seen.modified.add(full)
    if event.mask & (inotify.CREATE | inotify.MOVED_TO):
        seen.made.add(full)
    if event.mask & _GONE:
        seen.gone.add(full)


def _with_compiled(full: str, bytecode: str | None) -> Iterator[str]:
    """Yield a package or module, and where Python keeps what it compiled of that, which it opens instead."""
    yield full
    folder, name = os.path.split(full)
    if not name.endswith(".py"):
        yield f"{full}/{CACHE}"
        yield f"{bytecode or ''}{full}"
        return
    for cache in (f"{folder}/{CACHE}", f"{bytecode or ''}{folder}"):
        yield from (str(file) for file in Path(cache).glob(f"{name[:-3]}.*.pyc"))


def _walk(place: Place) -> _Found:
    """Find all folders of code. To walk is to list them: it is done before the first of them is watched."""
    found = _Found([], [], [], [])
    todo = []
    for path in place.code:
        full = os.path.join(place.top, path)  # noqa: PTH118
        if os.path.islink(full):  # noqa: PTH114
            found.links.append(path)
        elif os.path.isdir(full):  # noqa: PTH112
            todo.append(path)
        elif os.path.lexists(full):
            found.files.append(path)
    while todo:
        folder = todo.pop()
        found.folders.append(folder)
        for path in _inside(place, folder, found):
            if not place.is_apart(path):
                todo.append(path)
            elif not path.endswith(".egg-info"):  # what setuptools notes of a package is no part of it
                found.apart.append(path)
    return found


def _inside(place: Place, folder: str, found: _Found) -> list[str]:
    """Return the folders in a folder that may have code, and note in ``found`` what else is there."""
    inner = list[str]()
    with suppress(FileNotFoundError), os.scandir(os.path.join(place.top, folder)) as entries:  # noqa: PTH118
        for entry in entries:
            if entry.name == "pyvenv.cfg" and folder not in place.code:  # an environment
                found.apart.append(found.folders.pop())
                return []
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _APART:
                    inner.append(f"{folder}/{entry.name}")
                elif entry.name in _PROGRAMS:
                    found.apart.append(f"{folder}/{entry.name}")
            elif entry.is_symlink():
                found.links.append(f"{folder}/{entry.name}")
    return inner


def _still_there() -> str | None:
    """Return that something of the job goes on though its command is over, if it does for some time.

    Only what is in the session that this process leads is looked for: it costs little.
    """
    me = os.getpid()
    if os.getsid(0) != me:
        return None
    until = time.monotonic() + LINGERS
    while any(pid != me and session(pid) == me and me not in _parent(pid) for pid in all_pids()):
        if time.monotonic() > until:
            return "some of its processes went on when its command was over"
        time.sleep(LINGERS / 20)
    return None


def _parent(pid: int) -> tuple[int, ...]:
    """Return the parent of a process; as one of ours counts what is over."""
    return tuple(islice(parents(pid), 1)) or (os.getpid(),)


def several_hosts(env: Mapping[str, str]) -> str | None:
    """Return that a job runs on more hosts than this one, if a cluster says so."""
    nodes = env.get("SLURM_JOB_NUM_NODES") or env.get("SLURM_NNODES") or "1"
    return f"it ran on {nodes} hosts, and was watched on one" if nodes not in ("0", "1") else None
