"""The files that an attempt's own process writes, one after the other, into the attempt's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from wtwatch.doors.files import sync_folder
from wtwatch.job.attempt import CommandEnd, Folder, Result
from wtwatch.tree.states import After, state_text
from wtwatch.words.model import stamp
from wtwatch.words.uses import Uses
from wtwatch.words.versioned import given

RESERVED = 256 * 1024
"""Bytes reserved for an outcome, in which some 5,000 commits find room."""


OF_USES = 64 * 1024
"""Bytes reserved for what an attempt used, in which some 1,000 paths find room; see `traces.ROOM`."""

MANY = 100
"""Paths that there is room for in any case."""

_CLOSED = -1


class Draft:
    """A file before its content is known: its room is taken, so that a full disk cannot lose it.

    ``name`` is what it will be called; ``room`` the bytes that it may need.
    """

    def __init__(self, folder: Folder, name: str = "outcome", room: int = RESERVED) -> None:
        self._place = folder.path / name
        self._file = folder.path / f".{name}"
        self._handle = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._handle, 0, room)

    def has_room(self, room: int) -> bool:
        """Return whether it can take so many bytes, for which room is taken."""
        try:
            os.posix_fallocate(self._handle, 0, room)
        except OSError:
            return False
        return True

    def write(self, text: str) -> None:
        """Make the file known, whole and safe from a power cut, by a rename. ``text`` is ASCII."""
        content = text.encode("ascii")
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))
        os.fsync(self._handle)
        self.close()
        self._file.rename(self._place)
        sync_folder(self._place.parent)

    def close(self) -> None:
        """Let go of the file, written or not; may be called again."""
        if self._handle != _CLOSED:
            os.close(self._handle)
            self._handle = _CLOSED

    def publish(self, result: Result) -> None:
        """Make the outcome known."""
        self.write(json.dumps(given(result._asdict()) | {"ended": stamp(result.ended)}))


class Steps:
    """The steps of an attempt from its start on, each of which can be written though the disk is full."""

    def __init__(self, folder: Folder) -> None:
        self._uses = Draft(folder, "uses", OF_USES)
        self._command = Draft(folder, "command", 16 * 1024)
        self._after = Draft(folder, "after", RESERVED)
        self._verified = Draft(folder, "verified", RESERVED)
        self._outcome = Draft(folder, "outcome", RESERVED)

    def close(self) -> None:
        """Let go of the files of steps that were not come to, for a process that goes on."""
        for draft in (self._uses, self._command, self._after, self._verified, self._outcome):
            draft.close()

    def learned(self, uses: Uses, written: Sequence[str] = ()) -> None:
        """Say what the command used of the code; that all of it counts, where there is no room for more.

        And which files of code were ``written`` to while it ran.
        """
        text = json.dumps(uses._asdict() | {"written": written})
        if len(text) > OF_USES and not self._uses.has_room(len(text)):
            uses = Uses(whole="the disk was full, so what it used was not noted")
            text = json.dumps(uses._asdict() | {"written": written[:MANY]})
        self._uses.write(text)

    def command_ended(self, end: CommandEnd) -> None:
        """Say how the command ended."""
        used = end.used._asdict() if end.used else None
        self._command.write(json.dumps(end._asdict() | {"used": used}))

    def looked_after(self, state: After) -> None:
        """Say how the tree stands then."""
        self._after.write(state_text(state))

    def verified(self, faults: Sequence[str]) -> None:
        """Say what is wrong with that."""
        self._verified.write(json.dumps({"faults": list(faults)}))

    def ended(self, result: Result) -> None:
        """Say what all came to; nothing is success before."""
        self._outcome.publish(result)
