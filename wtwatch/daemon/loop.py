"""The loop: wait, reconcile, stop cleanly. One daemon a host and user.

The projects' ticks have threads of their own, so that a slow one (an environment that is being built) holds
up no other, nor the word to systemd that all is well.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wtwatch import __version__
from wtwatch.daemon import announce, causes, places
from wtwatch.daemon.announce import Crier
from wtwatch.daemon.live import BEAT, Live
from wtwatch.daemon.looks import Looks
from wtwatch.daemon.notice import Bell, Watch
from wtwatch.daemon.places import Places
from wtwatch.daemon.pool import Pool
from wtwatch.daemon.ticks import LOOK, SILENCE, SWEEP, ProjectTicks
from wtwatch.daemon.upgrade import Upgrade
from wtwatch.doors import notify, traces
from wtwatch.doors.clock import instant
from wtwatch.doors.files import claim
from wtwatch.job import lifecycle
from wtwatch.job.warming import Warming
from wtwatch.project import config, listing, registry
from wtwatch.project.config import Project
from wtwatch.views import status
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import counted, moment, now, stamp

GRACE = 20.0
"""Seconds that a tick may still take when the daemon has to stop."""

_log = logging.getLogger("wtwatch")


class Daemon:
    """All registered projects of this user that this host owns."""

    def __init__(self, lock: int, upgrade: Upgrade) -> None:
        self._lock = lock
        self._ticks: dict[str, ProjectTicks] = {}
        self._pool = Pool()
        self._stopping = threading.Event()
        self._stale = threading.Event()
        self._swept = time.monotonic()
        self._loaded: dict[Path, tuple[tuple[int, ...], Project]] = {}
        self._bell = Bell()
        self._told: tuple[object, ...] = ()
        self._beat = 0.0
        self._looks = Looks(self._see_anew)
        self._live = Live(self._looks)
        self._crier = Crier()
        self._warming = Warming()
        self._stuck: tuple[str, ...] = ()
        self._upgrade = upgrade
        self._since = stamp(now())
        self._skipped: set[str] = set()
        self._unread: dict[str, Path] = {}
        self._unknown_told: dict[str, object] = {}
        self._all_well = False
        self._listed: tuple[list[int] | None, tuple[Project, ...]] = (None, ())

    def run(self) -> bool:
        """Watch until told to stop by SIGTERM or SIGINT.

        Return whether it ended for another reason: a newer wtwatch is installed, which shall go on.
        """
        pause = min(BEAT, (notify.watchdog_interval() or 2 * SWEEP) / 2)
        with self._signals(), Watch(self._bell) as watch:
            lifecycle.HERE.warming = self._warming
            self._reload(watch)
            self._live.beat()
            notify.ready()
            _log.info("watching %s (%s)", counted(len(self._ticks), "project"), watch.mode)
            heard = time.monotonic()
            while not self._stopping.is_set():
                rung = watch.wait(min(pause, max(0.0, heard + SWEEP - time.monotonic())))
                if self._stopping.is_set():
                    break
                self._live.beat()
                if rung or time.monotonic() >= heard + SWEEP:
                    heard = time.monotonic()
                    self._hear(watch, watch.rung())
                if not self._look_for_stuck():  # else systemd shall end us, and start us anew
                    notify.watchdog()
                self._warming.rest()
                if self._upgrade.is_ready():
                    break
        if self._stopping.is_set():  # else the same process goes on, which systemd must not think to end
            notify.stopping()
        self._stop()
        return not self._stopping.is_set()

    def _hear(self, watch: Watch, rung: frozenset[str] | None) -> None:
        """Take up what changed in the folders ``rung``, of each project its own; ``None``: in any."""
        if time.monotonic() >= self._swept + self._sweep():
            rung = None
        if rung is None:
            self._swept = time.monotonic()
        settings = {str(folder) for folder in (listing.registry_file().parent, *self._unread.values())}
        if rung is None or self._stale.is_set() or not rung.isdisjoint(settings) or self._is_set_anew(rung):
            self._stale.clear()
            self._reload(watch)
            news = watch.rung()  # a folder that is watched only now
            rung = None if rung is None or news is None else rung | news
        else:
            self._publish(watch)
        changed = [one.poke_if_changed() for one in list(self._ticks.values()) if _concerns(rung, one)]
        if not any(changed):
            self._bell.was_in_vain()
        self._pool.look()

    def _is_set_anew(self, rung: frozenset[str]) -> bool:
        """Return whether settings changed of a project in which something rang, as `wtwatch config` does."""
        ringing = [one.project.state for one in self._ticks.values() if _concerns(rung, one)]
        known = ((state, self._loaded.get(state)) for state in ringing)
        with suppress(OSError):
            return any(loaded and loaded[0] != _mark(state / "config.toml") for state, loaded in known)
        return True

    def _sweep(self) -> float:
        """Return the seconds from one look at all projects to the next: more where they are many."""
        return max(SWEEP, min(len(self._ticks), LOOK))

    def _aim_anew(self) -> None:
        """Be asked by a project's tick to watch other folders of it from now on."""
        self._stale.set()
        self._bell.ring()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop at SIGTERM or SIGINT, whatever the main thread does just then.

        A handler runs once that thread gets round to it, and a signal that comes right before it begins to
        wait does not end the wait; the byte that signal.set_wakeup_fd has written at once does.
        """
        hear, say = socket.socketpair()
        say.setblocking(False)

        def listen() -> None:
            if hear.recv(1):
                self._stopping.set()
                self._bell.ring()

        before = {number: signal.signal(number, _pass) for number in (signal.SIGTERM, signal.SIGINT)}
        signal.set_wakeup_fd(say.fileno())
        listener = threading.Thread(target=listen, name="signals", daemon=True)
        listener.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            say.close()
            listener.join()
            hear.close()

    def _reload(self, watch: Watch) -> None:
        """Take up what was registered, drop what was forgotten, and see to the watches."""
        registry = traces.stamp(str(listing.registry_file()))
        wanted = self._projects()
        self._listed = (registry, tuple(wanted.values())) if self._all_well else (None, ())
        for name in list(self._ticks):
            one, project = self._ticks[name], wanted.get(name)
            if project is None or project.state != one.project.state:
                self._drop(name)
                one.let_go()
            elif project != one.project:
                one.renew(project)
        fresh = [project for name, project in wanted.items() if name not in self._ticks]
        for project in fresh:
            self._ticks[project.name] = ProjectTicks(
                project, self._aim_anew, self._pool.wake, self._live, self._crier
            )
        aimed = [one.at or _places(one.project) for one in self._ticks.values()]
        folders = [listing.registry_file().parent, *self._unread.values()]
        watch.aim([at for at in aimed if at], [folder for folder in folders if folder.is_dir()])
        for project in fresh:  # after the watches are up, so that no move falls in between
            self._pool.add(self._ticks[project.name])
        self._publish(watch)
        self._tell_of(watch)

    def _drop(self, name: str) -> None:
        one = self._ticks.pop(name)
        one.stop()
        self._pool.drop(one)
        self._live.drop(name)
        self._looks.drop(name)

    def _see_anew(self, name: str) -> None:
        """Have a view left of a project, of which more is known now."""
        if one := self._ticks.get(name):
            one.see_anew()

    def _projects(self) -> dict[str, Project]:
        found = {}
        self._all_well = False
        try:
            listed = listing.registered()
        except WtwatchError as error:
            self._skip("projects.toml", error.message)
            return {name: one.project for name, one in self._ticks.items()}
        for name, state in listed.items():
            try:
                project = self._load(state)
            except WtwatchError as error:
                self._skip(name, error.message)
                self._unread[name] = state
                continue
            self._unread.pop(name, None)
            if project.host and project.host != config.host():
                self._skip(name, f"it belongs to the host {project.host}")
                continue
            self._skipped.discard(name)
            self._warn_of(project)
            found[name] = project
        self._all_well = len(found) == len(listed)
        return found

    def _load(self, state: Path) -> Project:
        """Return a project's settings, read anew if their file is not the one that was read last."""
        try:
            which = _mark(state / "config.toml")
        except OSError:
            return registry.load(state)  # which says why that cannot be
        known = self._loaded.get(state)
        if known is None or known[0] != which:
            known = self._loaded[state] = (which, registry.load(state))
        return known[1]

    def _skip(self, name: str, why: str) -> None:
        if name not in self._skipped:
            _log.warning("%s is left alone: %s", name, why)
            self._skipped.add(name)

    def _warn_of(self, project: Project) -> None:
        if self._unknown_told.get(project.name) != project.more:
            self._unknown_told[project.name] = project.more
            for unknown in config.unknown_settings(project):
                _log.warning("%s: %s It is passed over.", project.name, unknown)

    def _look_for_stuck(self) -> bool:
        """Return whether a project's tick hangs; the first time it is told."""
        stuck = tuple(name for name, one in self._ticks.items() if one.is_stuck())
        for name in stuck:
            if name not in self._stuck:
                _log.error("%s: gave no sign of life for over %.0f min", name, SILENCE / 60)
                self._cry(self._ticks[name].project)
        self._stuck = stuck
        return bool(stuck)

    def _cry(self, project: Project) -> None:
        """Have the user told of a tick that hangs, which cannot do so itself."""
        with suppress(OSError):
            if project.on_attention:
                announce.post(project, [causes.hangs(project, f"{SILENCE / 60:.0f} min")])
                self._crier.tell(project)

    def _publish(self, watch: Watch) -> None:
        """Write what ``status`` tells of the daemon into the file that it holds locked.

        ``beat`` is when the loop last turned, written there every :data:`SWEEP` seconds (and more often by
        :mod:`wtwatch.daemon.live`); ``stuck`` names projects whose tick hangs; ``why`` it polls, if it does.
        """
        facts = (watch.mode, watch.watches, tuple(self._ticks), self._stuck)
        if facts == self._told and time.monotonic() < self._beat + SWEEP:
            return
        if facts != self._told:
            notify.status(f"{counted(len(self._ticks), 'project')}, {watch.mode}, {watch.watches} watches")
            self._tell_of(watch)
        self._told, self._beat = facts, time.monotonic()
        text = json.dumps(
            {
                "since": self._since,
                "mode": watch.mode,
                "watches": watch.watches,
                "version": __version__,
                "beat": instant()._asdict(),
                "stuck": self._stuck,
                "why": watch.why,
            }
        ).encode()
        os.pwrite(self._lock, text, 0)
        os.ftruncate(self._lock, len(text))

    def _tell_of(self, watch: Watch) -> None:
        """Say what a glance shows of this daemon, and of which projects."""
        registry, projects = self._listed
        since, stuck = moment(self._since), self._stuck
        of_itself = DaemonSnapshot(
            running=True,
            pid=os.getpid(),
            since=since,
            mode=watch.mode,
            watches=watch.watches,
            version=__version__,
            stuck=stuck,
            why=watch.why,
        )
        self._live.tell_of(projects, registry, of_itself)

    def _stop(self) -> None:
        self._live.end()
        self._looks.end()
        ending = list(self._ticks.values())
        for name in list(self._ticks):
            self._drop(name)
        until = time.monotonic() + GRACE
        self._pool.stop(GRACE)
        for one in ending:
            one.background.wait(max(0.0, until - time.monotonic()))
            one.let_go()
        lifecycle.HERE.warming = None
        self._warming.close()
        _log.info("stopped; jobs that run go on")


def _mark(file: Path) -> tuple[int, ...]:
    """Return what tells a file from the one that was there before."""
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _concerns(rung: frozenset[str] | None, one: ProjectTicks) -> bool:
    """Return whether what rang is of this project: it lies in a folder that is watched for it."""
    if rung is None or one.at is None:
        return True
    return bool(rung) and not rung.isdisjoint(map(str, one.at.folders))


def _pass(*_: object) -> None:
    """Be told of a signal, rather than killed by it."""


def _places(project: Project) -> Places | None:
    try:
        return places.places(project)
    except WtwatchError:
        return None


def watch() -> None:
    """Be this host's daemon until SIGTERM. Raises :class:`WtwatchError` if there is one already.

    When another version of wtwatch has taken the place of this one, that goes on as the same process.
    """
    folder = registry.here()
    file: Path = config.daemon_file()
    lock = claim(file)
    if lock is None:
        raise WtwatchError(
            f"A daemon runs already (pid {status.daemon().pid}).",
            "`wtwatch service status` tells whether it is the service's; one is enough for all projects.",
        )
    os.ftruncate(lock, 0)  # what the last daemon said of itself
    logging.basicConfig(format=_log_format(), level=logging.INFO)
    with suppress(OSError):
        listing.registry_file().parent.mkdir(parents=True, exist_ok=True)  # so that it can be watched
    os.chdir("/")  # stand in nobody's way: a folder in use cannot be unmounted
    if Daemon(lock, Upgrade(folder)).run():
        os.chdir(folder)  # what this process was started by may be named from there
        os.execv(sys.executable, sys.orig_argv)


def _log_format() -> str:
    plain = "level=%(levelname)s %(message)s"
    return plain if os.environ.get("JOURNAL_STREAM") else f"%(asctime)s {plain}"
