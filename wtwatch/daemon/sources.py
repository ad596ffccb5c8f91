"""Where the daemon hears of changes in a folder: from the kernel, or by looking again and again.

Both tell the same of an event: the folder it happened in, and which folder came or went, if one did.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from itertools import count
from typing import Protocol

from watchdog import events
from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask
from watchdog.observers.polling import PollingObserver

POLL = 1.0
"""Seconds between two looks at a folder where no events are to be had."""

_CHANGES = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
"""Not opens and reads: our own look would ring, and be answered by a look, for ever (inotify(7))."""

_POLLED: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileMovedEvent,
    events.FileDeletedEvent,
    events.DirCreatedEvent,
    events.DirMovedEvent,
    events.DirDeletedEvent,
]


class Ear(Protocol):
    """Who is told; in a thread of the source's own."""

    def heard(self, folder: str, shaken: tuple[str, ...] = ()) -> None:
        """Hear that something changed in ``folder``; the folders ``shaken`` came, or went."""

    def lost(self) -> None:
        """Hear that events were lost, whichever they were."""


class Source(Protocol):
    """Tells an :class:`Ear` of changes in folders, until it is stopped."""

    def watch(self, folder: str) -> Hashable:
        """Watch a folder; return what :meth:`drop` takes. Raises :class:`OSError` where that cannot be."""

    def drop(self, watch: Hashable) -> None:
        """Watch a folder no longer."""

    def stop(self) -> None:
        """End, and return when nobody is told any more."""


class Kernel:
    """One instance of inotify(7) and one thread for all folders."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._numbers = count()
        self._reader = InotifyFD()
        self._reader.start()

    def watch(self, folder: str) -> Hashable:
        """Have the kernel tell of a folder; two names of the same folder are told of apart."""
        number = CallbackId(next(self._numbers))
        callback = _Callback(self._ear, folder)
        return self._reader.add_callback(os.fsencode(folder), _CHANGES, callback, number), number

    def drop(self, watch: Hashable) -> None:
        """Have the kernel tell of a folder no longer; it may have ended that itself."""
        self._reader.remove_callbacks([watch])  # type: ignore[list-item]

    def stop(self) -> None:
        """End the thread, and with it the instance."""
        self._reader.stop()
        self._reader.join()


class _Callback:
    """What watchdog calls for one folder."""

    def __init__(self, ear: Ear, folder: str) -> None:
        self._ear = ear
        self._folder = folder

    def on_event(self, event: InotifyEvent) -> None:
        if not event.is_directory:
            self._ear.heard(self._folder)
        else:  # one in it, or the folder itself
            inside = os.path.join(self._folder, os.fsdecode(event.name))  # noqa: PTH118 - quicker
            self._ear.heard(self._folder, (inside if event.name else self._folder,))

    def on_watch_deleted(self, wd: int) -> None:
        self._ear.heard(self._folder, (self._folder,))

    def on_queue_overflow(self) -> None:
        self._ear.lost()


class Poll:
    """Looks every :data:`POLL` seconds, where the kernel does not tell."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._observer = PollingObserver(timeout=POLL)
        self._observer.start()

    def watch(self, folder: str) -> Hashable:
        """Look at a folder from now on."""
        handler = _Handler(self._ear, folder)
        return self._observer.schedule(handler, folder, event_filter=_POLLED)

    def drop(self, watch: Hashable) -> None:
        """Look no longer."""
        self._observer.unschedule(watch)  # type: ignore[arg-type]

    def stop(self) -> None:
        """End all threads."""
        self._observer.stop()
        self._observer.join()


class _Handler(events.FileSystemEventHandler):
    def __init__(self, ear: Ear, folder: str) -> None:
        self._ear = ear
        self._folder = folder

    def dispatch(self, event: events.FileSystemEvent) -> None:
        places = (event.src_path, event.dest_path) if event.is_directory else ()
        self._ear.heard(self._folder, tuple(os.fsdecode(place) for place in places if place))
