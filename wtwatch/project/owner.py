"""Which host acts on a project whose jobs run on a cluster: polls, submits, integrates, moves.

Any login node may, one at a time: the one that has the lease (:mod:`wtwatch.doors.lease`). Processes of one
host share it, since its locks hold between them, and the last of them that ends gives it back. Where jobs run
on this host nothing of this is needed, and no file is written.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wtwatch import __version__
from wtwatch.doors import lease
from wtwatch.doors.lease import LAPSE, RENEW, Lease, Seen
from wtwatch.project.config import Project, host
from wtwatch.words import executors
from wtwatch.words.errors import Busy, of_system
from wtwatch.words.model import lasting, moment, now, stamp


class Elsewhere(Busy):
    """Another host acts on the project, so this one must not; ``asked`` is the command to say there."""

    def __init__(self, project: Project, seen: Seen | None, asked: str) -> None:
        if seen is None or not seen.renewed:
            super().__init__(f"Another host has taken {project.name} over.", "Try again: it gave it back.")
            return
        there = seen.holder.host if seen.holder else "that host"
        super().__init__(
            f"{project.name} {said(seen)} (last sign of life {lasting(seen.silent)} ago), "
            "so nothing is done from here.",
            f"On {there}: wtwatch {asked}. From here once its daemon was ended, or {lasting(LAPSE)} after "
            "its last sign of life.",
        )


class _Kept:
    """A lease of this process: ``uses`` are those who act by it, ``lock`` tells others of this host."""

    def __init__(self, found: Lease, lock: int) -> None:
        self.lease, self.lock = found, lock
        self.uses = 0
        self.lost = False


_KEPT: dict[Path, _Kept] = {}
_GUARD = threading.Lock()
_KEEPER: list["_Keeper"] = []

ENDS = 1.0
"""Seconds for which the end of the thread is waited for that renews, which may wait for the file server."""


def is_needed(project: Project) -> bool:
    """Return whether hosts have to agree on who acts on a project."""
    return executors.of(project.executor).kind != "here"


@contextmanager
def acting(project: Project, asked: str | None = None) -> Iterator[None]:
    """Have this host act on a project while the body runs; ``asked`` is what it does, as a command.

    Raises :class:`Elsewhere` if another one does, and :class:`WtwatchError` if it cannot be known.
    """
    if not is_needed(project):
        yield
        return
    _begin(project, asked or f"sync {project.name}", once=False)
    try:
        check(project)
        yield
    finally:
        _end(project)


def own(project: Project) -> None:
    """Have this host act on a project from now on until :func:`let_go`, as a daemon does; asked at each tick.

    Raises :class:`Elsewhere` as long as another one does, and :class:`WtwatchError` if it cannot be known.
    """
    if not is_needed(project):
        let_go(project)
        return
    try:
        check(project)
    except Elsewhere:
        let_go(project)
    _begin(project, f"sync {project.name}", once=True)


def let_go(project: Project) -> None:
    """Have any host act on a project, as far as this process is concerned, if it owns it."""
    with _GUARD:
        known = project.state in _KEPT
    if known:
        _end(project)


def check(project: Project) -> None:
    """Raise :class:`Elsewhere` if another host has taken over from this process.

    Asked directly before what must not be done twice: a process may have been stopped for long.
    """
    kept = _KEPT.get(project.state)
    if kept is None:
        return
    try:
        if not kept.lost and kept.lease.is_mine():
            return
        kept.lost = True
        seen = lease.look(project.state)
    except OSError as error:
        raise of_system(error) from error
    raise Elsewhere(project, seen, f"sync {project.name}")


def is_lost(project: Project) -> bool:
    """Return whether another host was seen to have taken over from this process."""
    kept = _KEPT.get(project.state)
    return kept is not None and kept.lost


def other(project: Project) -> Seen | None:
    """Return the lease of another host, if one has it or had it last; nothing is written."""
    if not is_needed(project):
        return None
    with suppress(OSError):
        seen = lease.look(project.state)
        mine = seen and seen.holder and seen.holder.is_of(lease.this_host())
        return None if seen is None or mine or not seen.renewed else seen
    return None


def clear(project: Project) -> None:
    """Leave no file of all this, where it is not needed any more."""
    with suppress(OSError):
        lease.remove(project.state)
        for lock in project.state.glob("lease-*.lock"):
            lock.unlink(missing_ok=True)


def said(seen: Seen) -> str:
    """Return who has a lease and for how long, in words that follow a name of the project."""
    if seen.holder is None:
        return f"is looked after by a host that cannot be told (lease.{seen.number} cannot be read)"
    with suppress(ValueError, TypeError):  # written by hand, or cut off
        since = (now() - moment(seen.holder.since)).total_seconds()
        return f"is looked after by {seen.holder.host} for {lasting(max(0.0, since))}"
    return f"is looked after by {seen.holder.host}"


def _begin(project: Project, asked: str, once: bool) -> None:
    """Count one more who acts, or ``once`` the first alone."""
    with _GUARD:
        kept = _KEPT.get(project.state)
        if kept is None:
            try:
                kept = _taken(project, asked)
            except OSError as error:
                raise of_system(error) from error
            _KEPT[project.state] = kept
            _keep()
        elif once:
            return
        kept.uses += 1


def _end(project: Project) -> None:
    with _GUARD:
        kept = _KEPT.get(project.state)
        if kept is None:
            return
        kept.uses -= 1
        if kept.uses:
            return
        del _KEPT[project.state]
        done = [] if _KEPT else [_KEEPER.pop()]
    for keeper in done:
        keeper.end()
    _release(kept)


def _taken(project: Project, asked: str) -> _Kept:
    lock = os.open(_lock(project), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):  # where there are no locks the last to act cannot be told
            fcntl.flock(lock, fcntl.LOCK_SH)
        me = lease.this_host()._replace(since=stamp(now()), version=__version__)
        found = lease.take(project.state, me)
    except BaseException:
        os.close(lock)
        raise
    if isinstance(found, Lease):
        return _Kept(found, lock)
    os.close(lock)
    raise Elsewhere(project, found, asked)


def _release(kept: _Kept) -> None:
    """Give a lease back, unless other processes of this host act by it."""
    try:
        fcntl.flock(kept.lock, fcntl.LOCK_UN)
        fcntl.flock(kept.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not kept.lost:
            kept.lease.give_back()
    except OSError:
        pass
    finally:
        os.close(kept.lock)


def _lock(project: Project) -> Path:
    """Return the file by which processes of this host know of each other; each host has its own."""
    return project.state / f"lease-{host()}.lock"


def _keep() -> None:
    """Have a thread renew what this process has, as long as it has something; called with the guard held."""
    if not _KEEPER:
        _KEEPER.append(_Keeper())


class _Keeper:
    """A thread that renews all that this process has."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="wtwatch lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(ENDS)

    def _renew(self) -> None:
        while not self._over.wait(RENEW):
            with _GUARD:
                every = list(_KEPT.values())
            for kept in every:
                with suppress(OSError):  # it may be known again before it lapses
                    kept.lost = kept.lost or not kept.lease.renew()
