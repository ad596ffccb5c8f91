"""A process that has loaded all that jobs need, and forks one for each.

It is ``python -I -m wtwatch.job.warm SOCKET``, begun and ended by :mod:`wtwatch.job.warming`, which speaks to
it over the socket of that descriptor. What it forks does as :mod:`wtwatch.job.wrapper` does with
``--detach``, in a fraction of the time. Descriptors, session, folder and environment are those that it would
have been started with, and DataLad reads git's settings anew. Two things do differ: its command line, and the
environment that ``/proc`` shows of it alone, not of what it starts (it is known as the leader of the job's
session as well).

It has one thread, as only such a process can be forked safely, and nothing to lose: it may be killed at any
time. It ends when the other end of its socket is closed, or when what it has loaded is no longer what is
installed.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch import __version__
from wtwatch.doors import dataset
from wtwatch.doors.handles import close_others
from wtwatch.job import wrapper
from wtwatch.job.attempt import LOCK, Folder
from wtwatch.job.warming import GO, READY

HANDLES = 3
"""Descriptors that come with a request, at most: its channel, the log, and the lock if there is one."""

PATIENCE = 5.0
"""Seconds in which threads end by which DataLad has read what programs print."""

Stamp = tuple[tuple[int, int] | None, ...]


class Loaded(NamedTuple):
    """What DataLad went by when it was loaded: its own settings, and git and git-annex, as files."""

    settings: dict[str, object]
    programs: tuple[object, ...]


def main(words: list[str]) -> int:
    """Fork a process for each request that comes over the socket ``words[0]``, until that is closed."""
    programs = _programs()
    dataset.load_beforehand()
    loaded = Loaded(dataset.own_settings(), programs)
    places = loaded_from()
    if not _is_single():
        return 1
    gc.collect()
    gc.freeze()  # what is loaded stays shared with what is forked
    with socket.socket(fileno=int(words[0])) as control:
        control.send(__version__.encode())
        handles = _serve(control, places, stamp_of(places))
    if handles is None:
        return 0
    folder = _become_job(handles, loaded)
    return wrapper.detached(folder, handles[0])


def _programs() -> tuple[object, ...]:
    """Return which git and git-annex are found: where each is, and what changes when it is replaced."""
    found = [shutil.which(name) for name in ("git", "git-annex")]
    real = [os.path.realpath(place) for place in found if place]
    return (*real, *stamp_of(real))


def _is_single() -> bool:
    """Return whether this process has one thread; something of DataLad's may have begun one for good."""
    deadline = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def loaded_from() -> tuple[str, ...]:
    """Return the folders that modules were loaded from, or are looked for in, and the Python that did so.

    Whoever installs or removes a package changes one of them.
    """
    files = [getattr(module, "__file__", None) for module in tuple(sys.modules.values())]
    folders = {os.path.dirname(file) for file in files if file}  # noqa: PTH120 - hundreds
    return (*sorted({*folders, *sys.path}), sys.executable)


def stamp_of(places: Sequence[str]) -> Stamp:
    """Return what changes when something is installed in one of the places (a tenth of a millisecond)."""
    return tuple(map(_stamp, places))


def _stamp(place: str) -> tuple[int, int] | None:
    try:
        found = os.stat(place)  # noqa: PTH116
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _serve(control: socket.socket, places: Sequence[str], loaded: Stamp) -> list[int] | None:
    """Return the descriptors that came with a request, in the process forked for it; else ``None``."""
    while True:
        word, handles, _, _ = socket.recv_fds(control, 1, HANDLES, socket.MSG_CMSG_CLOEXEC)
        if not word or stamp_of(places) != loaded:
            return None
        if _is_forked():
            return handles
        for handle in handles:
            os.close(handle)


def _is_forked() -> bool:
    """Fork a process that nobody has to wait for: return ``True`` in that, ``False`` in this one."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    if os.fork():
        os._exit(0)
    return True


def _become_job(handles: Sequence[int], loaded: Loaded) -> Folder:
    """Make of this process what a job's begins as, and say so; return its folder once it may go on.

    Where that cannot be, it ends without a word, and the job is started in the other way, which says why.
    """
    channel, log, *lock = handles
    try:
        os.setsid()
        close_others(handles)
        with os.fdopen(os.dup(channel), "rb") as said:
            request = json.loads(said.readline())
        os.environ.clear()
        os.environ.update(request["env"])
        if lock:
            os.environ[LOCK] = str(lock[0])
        os.chdir(request["where"])
        time.tzset()
        dataset.read_settings()
        if _programs() != loaded.programs:  # this tree has its own, or they were replaced
            dataset.forget_programs()
        fits = dataset.own_settings() == loaded.settings  # else its log, say, is as it was when it was loaded
        if fits:
            for number in (1, 2):
                os.dup2(log, number)
            os.close(log)
            os.write(channel, READY)
            fits = os.read(channel, 1) == GO
    except BaseException:
        fits = False
    if not fits:
        os._exit(1)
    dataset.warn_of_identity()
    return Folder(Path(request["folder"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
