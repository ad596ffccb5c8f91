"""How much of inotify this user has in use, of how much the kernel allows (inotify(7))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.proc import all_pids

_LIMITS = ("/proc/sys/fs/inotify/max_user_{}", "/proc/sys/user/max_inotify_{}")
"""Where limits are: of the machine, and of the user namespace that one is in (namespaces(7))."""

_LINK = "anon_inode:inotify"


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
