"""The locks by which git-annex keeps content where it is, taken as it takes them, but of thousands at once.

Who removes content (`git annex drop`, `move`, `dropunused`) first takes an exclusive lock of it, and refuses
at once where there is any other ("content is locked"); who needs it takes a shared one (git-annex,
Annex/Content.hs: ``lockContentForRemoval``, ``lockContentShared``; seen with strace in 10.20261026). From
repository version 10 on, the lock is of an empty file beside the content, ``KEY.lck``, that is made where
there is none; before, of the content itself. All are locks of fcntl(2) on the whole of the file.

Here they are "open file description locks", which conflict with those, but outlive that somebody in this
process opens and closes the file, and end with this process, however it ends. None is inherited by a program
that this process starts. A ``KEY.lck`` stays, as it does where git-annex itself is killed, and costs a third
the next time; git-annex removes it with the content. What it holds besides in older versions, against an
upgrade of the repository, is not held here: an upgrade would wait for hours, and the job for it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.handles import above_others
from wtwatch.doors.repo import Repo

Contents = Mapping[str, Sequence[str]]
"""Content by the folders ``annex/objects`` that it lies in: places below, such as ``XX/YY/KEY/KEY``."""

PATIENCE = 10.0
"""Seconds to wait for who is about to remove content: it does, or it does not and lets go."""

_WITH_LOCK_FILES = 10
"""The version of annexes from which on content has lock files beside it."""

_FLOCK = "hhqqi4x"  # struct flock of fcntl(2)
_SHARED = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
_FULL = (errno.EMFILE, errno.ENFILE)


class Annex(NamedTuple):
    """How an annex takes its locks.

    ``beside`` its content, in files of their own, or on it; or ``by_pid``, one of all of it. ``shared_mode``
    is what a new file allows to those whom git shares the repository with.
    """

    beside: bool
    by_pid: bool
    shared_mode: int


class Locks:
    """Locks that this process holds, until :meth:`release`; contents are named by their whole paths.

    ``gone`` was not there, ``removed`` went that very moment; ``locked`` is content that somebody else has an
    exclusive lock of, with the process (0: not known). ``barred`` could not be locked, with the reason.
    """

    def __init__(self) -> None:
        self.handles: dict[str, int] = {}
        self.gone: list[str] = []
        self.removed: list[str] = []
        self.locked: list[tuple[str, int]] = []
        self.barred: list[tuple[str, str]] = []

    def are_not_all(self) -> bool:
        """Return whether some content is not locked."""
        return bool(self.gone or self.removed or self.locked or self.barred)

    def release(self) -> None:
        """Let go of all of them."""
        handles, self.handles = self.handles, {}
        for handle in handles.values():
            os.close(handle)


def hold(contents: Contents, patience: float = PATIENCE) -> Locks:
    """Take shared locks of all content that is there; whoever asks releases them.

    Where others are about to remove some, it waits for them, up to ``patience`` seconds. Raises
    :class:`WtwatchError` if git cannot tell how an annex takes its locks.
    """
    locks = Locks()
    annexes = _annexes(contents)
    waiting: list[tuple[str, Annex]] = []
    try:
        with above_others(sum(map(len, contents.values()))):
            for objects, places in contents.items():
                waiting += _hold(objects, places, annexes[objects], locks)
            deadline = time.monotonic() + patience
            for content, annex in waiting:
                _wait_for(content, annex, locks, deadline)
    except BaseException:
        locks.release()
        raise
    return locks


def _annexes(folders: Iterable[str]) -> dict[str, Annex]:
    """Return how annexes take their locks, by their folders of content (git-annex(1), git-config(1))."""
    asked = r"^(annex\.(version|pidlock)|core\.sharedrepository)$"
    with ExitStack() as at_work:
        asking = {
            objects: at_work.enter_context(
                Repo(Path(objects).parents[1]).ask("config", "--null", "--get-regexp", asked)
            )
            for objects in folders
        }
        return {objects: _annex(one.answer(ok=(0, 1))) for objects, one in asking.items()}


def _annex(settings: str) -> Annex:
    pairs = (line.partition("\n") for line in settings.split("\0") if line)
    said = {name: value.lower() if is_set else "true" for name, is_set, value in pairs}
    version = said.get("annex.version", "")
    return Annex(
        version.isdigit() and int(version) >= _WITH_LOCK_FILES,
        said.get("annex.pidlock", "") in ("true", "yes", "on", "1"),
        _shared_mode(said.get("core.sharedrepository", "")),
    )


def _shared_mode(shared: str) -> int:
    if shared in ("true", "group", "1"):
        return 0o660
    if shared in ("all", "world", "everybody", "2"):
        return 0o664
    return int(shared, 8) & 0o666 if shared.startswith("0") and shared.isdigit() else 0


def _hold(objects: str, places: Sequence[str], annex: Annex, locks: Locks) -> list[tuple[str, Annex]]:
    """Lock content of one annex; return that of which somebody has an exclusive lock."""
    if annex.by_pid:  # one lock for all of the annex, and nothing that saves a result could work beside it
        locks.barred += [(f"{objects}/{place}", "git-annex has annex.pidlock set there") for place in places]
        return []
    waiting, ending = [], ".lck" if annex.beside else ""
    take, kept = fcntl.fcntl, locks.handles  # this is done thousands of times
    for number, place in enumerate(places):
        content = f"{objects}/{place}"
        try:
            handle = _open(content + ending, annex)
        except FileNotFoundError:
            locks.gone.append(content)
            continue
        except OSError as error:
            if error.errno in _FULL:
                why = "a process may not have so many open files"
                locks.barred += [(f"{objects}/{place}", why) for place in places[number:]]
                break
            locks.barred.append((content, f"{error.strerror}"))
            continue
        try:
            take(handle, fcntl.F_OFD_SETLK, _SHARED)
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                waiting.append((content, annex))
            else:
                locks.barred.append((content, f"{error.strerror}"))
            continue
        if os.fstat(handle).st_nlink:
            kept[content] = handle
        else:  # it was removed between the two calls, perhaps by one who made sure of the content and let go
            os.close(handle)
            waiting.append((content, annex))
    return waiting


def _wait_for(content: str, annex: Annex, locks: Locks, deadline: float) -> None:
    """Lock content of which somebody has an exclusive lock, once that is let go."""
    file = content + (".lck" if annex.beside else "")
    while True:
        try:
            handle = _open(file, annex)
        except FileNotFoundError:
            locks.removed.append(content)
            return
        except OSError as error:
            locks.barred.append((content, f"{error.strerror}"))
            return
        with suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _SHARED)
            if os.fstat(handle).st_nlink:
                locks.handles[content] = handle
                return
        who = holder(handle)
        os.close(handle)
        if time.monotonic() > deadline:
            locks.locked.append((content, who))
            return
        time.sleep(0.02)


def _open(file: str, annex: Annex) -> int:
    """Open what is locked; a lock file is made where there is none, if there is a folder of the content."""
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if not annex.beside:
            raise
    try:
        return _made(file, annex)
    except PermissionError:  # git-annex has the folder of each content read-only
        folder = os.path.dirname(file)
        mode = os.stat(folder).st_mode
        os.chmod(folder, mode | 0o200)
        try:
            return _made(file, annex)
        finally:
            os.chmod(folder, mode)


def _made(file: str, annex: Annex) -> int:
    handle = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    if annex.shared_mode:
        with suppress(OSError):  # others made it
            os.fchmod(handle, os.fstat(handle).st_mode | annex.shared_mode)
    return handle


def holder(handle: int) -> int:
    """Return which process has a lock in the way of ours, 0 where that is not known."""
    with suppress(OSError):
        found = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _SHARED))
        if found[0] != fcntl.F_UNLCK:
            return max(int(found[4]), 0)
    return 0
