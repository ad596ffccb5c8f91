"""Which of several hosts that share a folder acts on it: a file there, which its host keeps young.

Locks, pids and /proc hold on one host, so between hosts a *lease* decides, ``lease.N``: that with the highest
number counts. A host takes over by linking the next number (link(2), atomic on NFS), which only one can. It
may where the lease was given back, or was not renewed for :data:`LAPSE` seconds. All times are those that the
file server gives to files which are touched, so that the clocks of hosts need not agree.

Who takes over links, and then looks whether the lease was renewed meanwhile; who renews touches, and then
looks for a higher number. So at least one of two sees the other, and steps back. The highest number that was
had is never removed, so that none is had twice, and one that slept in between cannot come in late.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.clock import boot_id
from wtwatch.doors.xdg import host

LAPSE = 120.0
"""Seconds without renewal after which another host may take over."""

RENEW = 20.0
"""Seconds from one renewal to the next; what NFS remembers of a file is up to 60 s old (nfs(5), acregmax)."""

TRUSTED = 60.0
"""Seconds from a renewal on for which one's own lease is believed in: far less than :data:`LAPSE`."""

_NAME = "lease."

_TRIES = 5
"""Looks at a lease whose file is gone before it was read, as somebody has taken over."""


class Holder(NamedTuple):
    """Who has a lease: a host, in this ``boot`` and this ``space`` of pids; the rest is for people.

    ``since`` is when it took it, by its own clock, and ``version`` that of its wtwatch.
    """

    host: str
    boot: str
    space: str
    since: str = ""
    version: str = ""

    def is_of(self, other: "Holder") -> bool:
        """Return whether it is the same host for sure, so that locks and pids hold between the two."""
        return bool(self.boot) and self[:3] == other[:3]


class Seen(NamedTuple):
    """The lease as it lies there; ``holder`` is unknown where it cannot be read.

    ``renewed`` is when it was last (0: it was given back), and ``at`` when that was seen: in ns, and by the
    clock of the file server, if a taker looked, else by that of this host.
    """

    number: int
    holder: Holder | None
    renewed: int
    at: int

    @property
    def silent(self) -> float:
        """For how many seconds it was not renewed."""
        return max(0.0, (self.at - self.renewed) / 1e9)

    def is_free(self, lapse: float = LAPSE) -> bool:
        """Return whether another host may have it.

        So it may where it seems to be renewed in times to come: it was not since a clock was set back.
        """
        return abs(self.at - self.renewed) > lapse * 1e9


def this_host() -> Holder:
    """Return the host that this process is on, as a lease names it."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        space = ""
    return Holder(host(), boot_id(), space)


def look(folder: Path) -> Seen | None:
    """Return the lease of a folder; ``None`` where nobody ever had one. Raises :class:`OSError`."""
    for _ in range(_TRIES):
        numbers = _numbers(folder)
        if not numbers:
            return None
        with suppress(FileNotFoundError):
            return _read(folder, numbers[-1])
    raise FileNotFoundError(2, "The lease changes hands all the while", str(folder))


class Lease:
    """A lease that this host has, as long as :meth:`is_mine` says so."""

    def __init__(self, folder: Path, number: int, holder: Holder, renewed: float) -> None:
        self.number, self.file = number, _file(folder, number)
        self._folder, self._holder = folder, holder
        self._renewed = renewed

    def renew(self) -> bool:
        """Make it young again; return whether it is still this host's. Raises :class:`OSError`."""
        began = _ticking()
        try:
            os.utime(self.file)
            seen = _read(self._folder, self.number)
        except FileNotFoundError:
            return False
        _stir(self._folder)
        mine = _numbers(self._folder)[-1:] == [self.number]
        if not mine or seen.holder != self._holder:
            return False
        self._renewed = began
        return True

    def is_mine(self) -> bool:
        """Return whether it is still this host's: by a look, soon after it was renewed, else renewed now."""
        if _ticking() - self._renewed < TRUSTED and not _file(self._folder, self.number + 1).exists():
            return self.file.exists()
        return self.renew()

    def give_back(self) -> None:
        """Have whoever wants it next take over at once; that it cannot be said does not matter."""
        with suppress(OSError):
            os.utime(self.file, (0, 0))


def take(folder: Path, me: Holder, lapse: float = LAPSE) -> Lease | Seen:
    """Return the lease, had or joined by the host ``me``; else who has it.

    Processes of one host share its lease. Raises :class:`OSError` where the folder cannot be written to.
    """
    for _ in range(_TRIES):
        began = _ticking()
        seen = look(folder)
        if seen is not None and seen.renewed and seen.holder is not None and seen.holder.is_of(me):
            joined = Lease(folder, seen.number, seen.holder, began)
            if joined.renew():
                return joined
            continue
        with _draft(folder, json.dumps(me._asdict())) as draft:
            found = look(folder)
            seen = found and found._replace(at=draft.stat().st_mtime_ns)
            if seen is not None and not seen.is_free(lapse):
                return seen
            taken = Lease(folder, seen.number + 1 if seen else 1, me, began)
            if _links(draft, taken.file) and _is_had(taken, folder, seen):
                return taken
    last = look(folder)
    assert last is not None, "somebody took it instead"
    return last


def remove(folder: Path) -> None:
    """Have it be as if nobody ever had a lease; raises :class:`OSError`."""
    for number in _numbers(folder):
        _file(folder, number).unlink(missing_ok=True)


def _is_had(taken: Lease, folder: Path, before: Seen | None) -> bool:
    """Return whether one that was just linked is had; else it is out of the way."""
    if not taken.renew() or _was_renewed(folder, before):
        taken.file.unlink(missing_ok=True)
        return False
    for number in _numbers(folder):
        if number < taken.number:
            _file(folder, number).unlink(missing_ok=True)
    return True


def _was_renewed(folder: Path, before: Seen | None) -> bool:
    """Return whether a lease is not as it was seen."""
    with suppress(FileNotFoundError):
        return before is not None and _read(folder, before.number).renewed != before.renewed
    return False


def _links(draft: Path, file: Path) -> bool:
    """Return whether ``draft`` has the name ``file`` now, which nobody had before."""
    try:
        os.link(draft, file)
    except FileExistsError:  # or the server's answer was lost, and it was asked again (open(2) on O_EXCL)
        return draft.stat().st_nlink > 1
    return True


def _numbers(folder: Path) -> list[int]:
    names = os.listdir(folder)  # noqa: PTH208 - a look of each tick
    found = (name.removeprefix(_NAME) for name in names if name.startswith(_NAME))
    return sorted(int(one) for one in found if one.isdecimal() and one.isascii() and one[0] != "0")


def _file(folder: Path, number: int) -> Path:
    return folder / f"{_NAME}{number}"


def _read(folder: Path, number: int) -> Seen:
    """Return a lease; it is opened, for which NFS asks the server anew (nfs(5), close-to-open)."""
    with _file(folder, number).open("rb") as file:
        text, renewed = file.read(), os.fstat(file.fileno()).st_mtime_ns
    try:
        facts = json.loads(text)
        known = {name: facts[name] for name in Holder._fields if name in facts}
        holder: Holder | None = Holder(**known)
    except (ValueError, TypeError):
        holder = None
    return Seen(number, holder, max(0, renewed), time.time_ns())


@contextmanager
def _draft(folder: Path, text: str) -> Iterator[Path]:
    """Have a whole file while the body runs, whose time is that of the file server just now."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=folder, prefix=".lease.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        yield Path(name)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def _stir(folder: Path) -> None:
    """Change the folder, so that NFS does not answer from memory which names are in it (nfs(5), acdirmax)."""
    import tempfile

    with suppress(OSError):  # on a full disk it may
        handle, name = tempfile.mkstemp(dir=folder, prefix=".lease.")
        os.close(handle)
        Path(name).unlink()


def _ticking() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
