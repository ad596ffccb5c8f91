"""Notice that something may have moved: every event only rings one bell.

Events carry no facts, so none can mislead: who is woken reads the truth from the repository. That makes
lost, doubled and early events harmless, as long as each change leads to a look *after* it.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Hashable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple, Self, TypeVar

from wtwatch.daemon.places import Places, identity
from wtwatch.daemon.sources import POLL, Kernel, Poll, Source
from wtwatch.doors.mounts import filesystem

FIRST = 0.002
"""Seconds between the first two looks of a burst of rings; each pause after that is twice as long."""

LONGEST = 0.05
"""Seconds between two looks of a burst at most."""

LONGEST_IN_VAIN = 0.008
"""The same where the former found nothing: the first ring of a move is often that of a lock."""

CALM = 0.25
"""Seconds without a look, after which a burst is over."""

Mode = Literal["inotify", "polling"]

_log = logging.getLogger(__name__)

# Where another host can change files without an event here, or where inotify is not supported at all.
_REMOTE = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs", "fuse.rclone",
    "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs",
    "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs",
}  # fmt: skip
_LIMITS = "fs.inotify.max_user_watches or max_user_instances (sysctl), or LimitNOFILE"
_NO_MORE_WATCHES = {errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOSYS}


T = TypeVar("T")


class Bell:
    """Ten rings are one visit. May be rung from any thread, and from a signal handler.

    The first ring is answered at once. Those of a burst are answered after pauses that grow, so that a busy
    repository can neither delay the visit nor ask for more than a few.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()  # re-entrant, as a signal handler needs it
        self._looked = float("-inf")
        self._pause = 0.0

    def ring(self) -> None:
        """Ask for a visit."""
        if self._rings.empty():  # else one is asked for already
            self._rings.put(None)

    def wait(self, at_most: float) -> bool:
        """Wait for a ring, but no longer than ``at_most`` seconds; return whether there was one."""
        try:
            self._rings.get(timeout=max(0.0, at_most))
        except Empty:
            return False
        ago = time.monotonic() - self._looked
        if ago > CALM:
            self._pause = 0.0
        time.sleep(max(0.0, self._pause - ago))
        _drain(self._rings)  # before the caller looks, so that no later ring is lost
        self._looked = time.monotonic()
        self._pause = min(LONGEST, max(FIRST, 2 * self._pause))
        return True

    def was_in_vain(self) -> None:
        """Say that the look after the last ring found nothing, so that the next ring does not wait long."""
        self._pause = min(self._pause, LONGEST_IN_VAIN)


class _Armed(NamedTuple):
    """A folder under watch, and which folder that was when the watch began (device and inode)."""

    mode: Mode
    watch: Hashable
    which: tuple[int, int]


class Watch:
    """Rings ``bell`` at every change in the folders it is aimed at.

    Used in one thread, as ``with Watch(bell) as watch: watch.aim(…)``. Folders that vanish and come back,
    as git and jj have them do, are armed anew by :meth:`wait` *before* it returns: whatever happened to
    them meanwhile is seen by the look that follows, and whatever comes later rings. (Of a folder that went
    because one above it was renamed nobody tells: only :meth:`aim` finds that.) With ``polling`` no
    events are used even where they are to be had. ``why`` says why folders are polled, once some are; with
    ``telling`` the log does too.
    """

    def __init__(self, bell: Bell, polling: bool = False, telling: bool = True) -> None:
        self._bell = bell
        self._polling = polling
        self._telling = telling
        self._folders: tuple[str, ...] = ()
        self._armed: dict[str, _Armed] = {}
        self._sources: dict[Mode, Source] = {}
        self._shaken: SimpleQueue[str | None] = SimpleQueue()
        self._rung: SimpleQueue[str | None] = SimpleQueue()
        self.why: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for source in self._sources.values():
            source.stop()
        self._sources.clear()
        self._armed.clear()

    @property
    def mode(self) -> Mode:
        """How changes are noticed; ``polling`` as soon as one folder has to be polled."""
        return "polling" if any(armed.mode == "polling" for armed in self._armed.values()) else "inotify"

    @property
    def watches(self) -> int:
        """The number of folders under watch."""
        return len(self._armed)

    def aim(self, at: Iterable[Places], also: Iterable[Path] = ()) -> None:
        """Watch the places of these projects, and the folders ``also``, and nothing else from now on.

        May be called at any time; folders that are watched already stay so. Makes the folders that the
        bells lie in. Look at the repositories after it, not before.
        """
        wanted = list(at)
        for place in (one for one in wanted if str(one.bell.parent) not in self._armed):
            with suppress(OSError):  # read-only, or gone: events and the sweep still serve
                place.bell.parent.mkdir(exist_ok=True)
        folders = [folder for place in wanted for folder in place.folders]
        self._folders = tuple(dict.fromkeys(str(folder) for folder in (*folders, *also)))
        self._arm(everything=True)

    def wait(self, at_most: float) -> bool:
        """Wait as :meth:`Bell.wait` does, then mend the watches; look after it returns."""
        rung = self._bell.wait(at_most)
        self._arm(everything=False)
        return rung

    def rung(self) -> frozenset[str] | None:
        """Return in which folders something changed since this was last asked; ``None``: perhaps in all."""
        found = _drain(self._rung)
        return None if None in found else frozenset(folder for folder in found if folder)

    def heard(self, folder: str, shaken: tuple[str, ...] = ()) -> None:
        """Be told by a source, in its thread; see :class:`wtwatch.daemon.sources.Ear`."""
        for one in shaken:
            self._shaken.put(one)
        self._rung.put(folder)
        self._bell.ring()

    def lost(self) -> None:
        """Be told by a source that events were lost."""
        self._shaken.put(None)  # whichever it was
        self._rung.put(None)
        self._bell.ring()

    def _arm(self, everything: bool) -> None:
        """Arm what is not armed, and anew what is another folder by now.

        Without ``everything`` only folders that are told to have come or gone, and what lies in them.
        """
        told = _drain(self._shaken)
        if not (everything or told):
            return
        everything = everything or None in told
        shaken = {folder for folder in told if folder}
        for folder in list(self._armed) if everything else shaken & self._armed.keys():
            armed = self._armed[folder]
            swapped = identity(folder) != armed.which  # an inode number may come back, hence `shaken`
            if swapped or folder in shaken or None in told or folder not in self._folders:
                del self._armed[folder]
                self._sources[armed.mode].drop(armed.watch)
        for folder in self._folders:  # outer ones first
            if folder not in self._armed and (everything or _is_of(folder, shaken)):
                self._arm_folder(folder)
                shaken.add(folder)

    def _arm_folder(self, folder: str) -> None:
        which = identity(folder)
        if which is None or not os.access(folder, os.R_OK):  # watchdog keeps silent about EACCES
            return
        mode = self._mode_for(folder, device=which[0])
        try:
            watch = self._source(mode).watch(folder)
        except OSError as error:
            if mode == "polling" or error.errno not in _NO_MORE_WATCHES:
                return  # it vanished just now; its parent rings when it is back
            self._polling = True
            self._complain(f"inotify refuses ({error.strerror}); raise {_LIMITS} and start anew")
            self._arm_folder(folder)
        else:
            self._armed[folder] = _Armed(mode, watch, which)
            self._rung.put(folder)  # what happened to it before is not told

    def _mode_for(self, folder: str, device: int) -> Mode:
        if self._polling:
            return "polling"
        kind = filesystem(device)
        if kind not in _REMOTE:
            return "inotify"
        self._complain(f"{folder} lies on a network file system ({kind})")
        return "polling"

    def _complain(self, why: str) -> None:
        if self.why is None:
            self.why = why
            if self._telling:
                _log.warning("Moves are looked for every %g s instead of at once: %s.", POLL, why)

    def _source(self, mode: Mode) -> Source:
        if mode not in self._sources:
            self._sources[mode] = Poll(self) if mode == "polling" else Kernel(self)
        return self._sources[mode]


def _is_of(folder: str, shaken: set[str]) -> bool:
    return folder in shaken or os.path.dirname(folder) in shaken  # noqa: PTH120 - many, and quicker


def _drain(queue: SimpleQueue[T]) -> set[T]:
    found: set[T] = set()
    with suppress(Empty):
        while True:
            found.add(queue.get_nowait())
    return found
