"""inotify(7): watches that tell of files as they are opened and written to, and how many a user may have."""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.proc import all_pids

OPEN, CLOSE_NOWRITE = 0x20, 0x10
MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
OVERFLOW, ONLYDIR, MASK_ADD, ISDIR, ONESHOT = 0x4000, 0x01000000, 0x20000000, 0x40000000, 0x80000000

_EVENT = struct.Struct("iIII")
_AT_ONCE = 256 * 1024
_NOTHING = os.O_CLOEXEC | os.O_NONBLOCK

_LIMITS = ("/proc/sys/fs/inotify/max_user_{}", "/proc/sys/user/max_inotify_{}")
"""Where limits are: of the machine, and of the user namespace that one is in (namespaces(7))."""

_LINK = "anon_inode:inotify"


class Event(NamedTuple):
    """What was seen by a watch: a mask of what happened, and to which file in its folder, if it is one."""

    watch: int
    mask: int
    name: bytes


class Watches:
    """An instance of inotify. Raises :class:`OSError` where there is none, or the user has too many."""

    def __init__(self) -> None:
        import ctypes

        library: Any = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        self._add: Any = library.inotify_add_watch
        self._add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._handle = self._checked(library.inotify_init1(_NOTHING), "inotify")
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def add(self, path: str, mask: int) -> int:
        """Watch what a path leads to, or watch it for something else; return the watch's number.

        Raises :class:`OSError` where that cannot be: it is not there, say, or the user has too many.
        """
        return self._checked(self._add(self._handle, os.fsencode(path), mask), path)

    def wait(self) -> None:
        """Wait until there is something to read, or :meth:`wake` is called, from another thread."""
        self._poll.poll()

    def wake(self) -> None:
        """End all waiting, from now on."""
        os.eventfd_write(self._wake, 1)

    def read(self) -> list[Event]:
        """Return what was seen since the last call, oldest first; nothing if there is nothing."""
        try:
            said = os.read(self._handle, _AT_ONCE)
        except BlockingIOError:
            return []
        found, at, end = [], 0, len(said)
        while at < end:
            watch, mask, _, length = _EVENT.unpack_from(said, at)
            at += _EVENT.size
            found.append(Event(watch, mask, said[at : at + length].rstrip(b"\0")))
            at += length
        return found

    def close(self) -> None:
        """End all watches."""
        os.close(self._handle)
        os.close(self._wake)

    def _checked(self, answer: int, path: str) -> int:
        if answer < 0:
            number = self._errno()
            raise OSError(number, os.strerror(number), path)
        return answer


class Room(NamedTuple):
    """So many of ``name`` ("instances" or "watches") are in use, and allowed; ``sysctl`` raises the limit."""

    name: str
    used: int
    most: int
    sysctl: str


def rooms() -> list[Room]:
    """Return what is used and allowed, the narrowest limit of each kind; nothing where there is no inotify.

    Used is what is seen of this user's own processes: each ``inotify`` line of a descriptor is a watch
    (proc_pid_fdinfo(5)). One that several processes inherited counts for each of them.
    """
    limits = {kind: sorted(_limits(kind)) for kind in ("instances", "watches")}
    if not all(limits.values()):
        return []
    found = list(_instances())
    used = {"instances": len(found), "watches": sum(found)}
    return [Room(kind, used[kind], *known[0]) for kind, known in limits.items()]


def _limits(kind: str) -> Iterator[tuple[int, str]]:
    """Yield each limit, and the name by which sysctl(8) knows it."""
    for pattern in _LIMITS:
        file = pattern.format(kind)
        with suppress(OSError, ValueError):
            yield (
                int(Path(file).read_text(encoding="ascii")),
                file.removeprefix("/proc/sys/").replace("/", "."),
            )


def _instances() -> Iterator[int]:
    """Yield the number of watches of each instance of this user."""
    me = os.getuid()
    for pid in all_pids():
        place = f"/proc/{pid}"
        with suppress(OSError):  # it ended, or is of another user
            if os.stat(place).st_uid != me:  # noqa: PTH116 - of each process there is
                continue
            for number in os.listdir(f"{place}/fd"):  # noqa: PTH208
                with suppress(OSError):
                    if os.readlink(f"{place}/fd/{number}") == _LINK:  # noqa: PTH115
                        yield Path(f"{place}/fdinfo/{number}").read_bytes().count(b"\ninotify ")
