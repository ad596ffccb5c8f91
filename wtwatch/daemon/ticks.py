"""The ticks of one project: when something changed, and when a time has come that a tick named.

A step that failed is not tried again before what it rests on changed, or its time to wait ran out. Once a
minute files are compared with what the last tick found there, whatever the events and fingerprints told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import NamedTuple

from wtwatch import reconcile
from wtwatch.daemon import announce, causes, diary, places
from wtwatch.daemon.announce import Crier
from wtwatch.daemon.background import Background
from wtwatch.daemon.live import CALM, Live
from wtwatch.daemon.places import Fingerprint, Places
from wtwatch.doors import jj
from wtwatch.doors.program import LIMIT
from wtwatch.project import owner
from wtwatch.project.config import Project
from wtwatch.queue.jobs import Queue
from wtwatch.tree import tip
from wtwatch.words.errors import Busy, WtwatchError, of_system

SWEEP = 10.0
"""Seconds after which everything is looked at without any event."""

LOOK = 60.0
"""Seconds from one full look to the next."""

ELSEWHERE = 5.0
"""Seconds to the next look whether another host still acts on the project."""

SETTLED = 0.03
"""Seconds from a tick during which refs changed to the next, which sees them at rest."""

FIRST_WAIT = 1.0
"""Seconds from a step that failed to its next try; each further one waits twice as long."""

LONGEST_WAIT = 300.0
"""Seconds that a step which fails again and again waits at most."""

SILENCE = 2 * LIMIT
"""Seconds that a tick may go on without a sign of life: twice what one program may take that it waits for."""

_log = logging.getLogger("wtwatch")


class Setback(NamedTuple):
    """A tick that failed: why, what it rested on, the seconds until the next try, and when that began."""

    cause: str
    ground: Fingerprint
    wait: float
    at: float


def _together(due: float) -> float:
    """Return a moment before ``due`` that other projects have too: to wake up costs more than a look."""
    return due - due % (LOOK / 6)


class ProjectTicks:
    """One project's ticks. ``ring`` asks the daemon to see to its watches, when other places count now.

    ``live`` leaves a view of the project for who looks in passing, and says when to do so again; ``crier``
    runs the commands by which the user is told. A member of the daemon's
    :class:`wtwatch.daemon.pool.Pool`, which is told by ``wake`` of what is due.
    """

    def __init__(
        self,
        project: Project,
        ring: Callable[[], None] = lambda: None,
        wake: Callable[[ProjectTicks], None] = lambda one: None,
        live: Live | None = None,
        crier: Crier | None = None,
    ) -> None:
        self.project = project
        self.stopping = threading.Event()
        self.poked = threading.Event()
        self.at: Places | None = None
        self.seen: Fingerprint | None = None
        self.trouble: str | None = None
        self._causes = diary.Causes()
        self.setback: Setback | None = None
        self.in_vain = 0
        self._ring = ring
        self._wake = wake
        self._live = live
        self._crier = crier or Crier()
        self._leave_due = inf
        self._seen_anew = threading.Event()
        self._due = 0.0
        self._look_due = 0.0
        self._truth: Fingerprint = ()
        self._caught: Fingerprint = ()
        self._marks: places.Marks | None = None
        self._sign: float | None = None
        self.background = Background(self._ask)
        self._renewed: deque[Project] = deque(maxlen=1)
        self._is_elsewhere = False

    def renew(self, project: Project) -> None:
        """Go by other settings from the next turn on, which comes soon; a set-up that is under way ends.

        Two turns of one project, each with settings of its own, would get in each other's way.
        """
        self._renewed.append(project)
        self.background.stop()
        self._ask()

    def _ask(self) -> None:
        """Have it take a turn soon, in which it ticks."""
        self.poked.set()
        self._wake(self)

    def see_anew(self) -> None:
        """Have it leave another view soon, though nothing changed that a tick would go by."""
        self._seen_anew.set()
        self._wake(self)

    def poke_if_changed(self) -> bool:
        """Have it tick if something changed since its last tick began; return that. Takes some 50 µs."""
        changed = bool(self.setback) or self.at is None or places.fingerprint(self.at) != self.seen
        if changed:  # after a setback more counts than what moves leave behind
            self._ask()
        return changed

    def is_stuck(self) -> bool:
        """Return whether a tick is under way that gave no sign of life for longer than it should take."""
        sign = self._sign
        return sign is not None and time.monotonic() - sign > SILENCE

    def stop(self) -> None:
        """Have it end after the tick that is under way, and what is done beside it soon."""
        self.stopping.set()
        self.background.stop()

    def let_go(self) -> None:
        """Have another host act on the project if it wants to, now that this one does not any more."""
        owner.let_go(self.project)

    def turn(self) -> float:
        """Tick if that is due, or if something changed; return the seconds to the next turn.

        What changed is told by a poke, and once in :data:`LOOK` seconds by the files themselves.
        """
        if self.stopping.is_set():
            return inf
        if self._renewed:
            self._begin_anew(self._renewed.pop())
        poked = self.poked.is_set()
        self.poked.clear()  # before the look, so that no later poke is lost
        now = time.monotonic()
        if self._seen_anew.is_set():
            self._seen_anew.clear()
            self._leave_due = now
        if poked and self.setback:
            self._due = min(self._due, self._next_try(self.setback))
        elif poked or (now >= self._look_due and now < self._due and self._has_changed()):
            self._due = now
        if now >= self._due:
            if self._live:
                self._live.give_way(self.project.name)
            self._show_life()
            again = self._tick()
            self._sign = None
            self._due = inf if again is None else time.monotonic() + again
            if not (self.setback or self._refs_stood_still()):  # it may have seen what passed
                self._due = min(self._due, time.monotonic() + SETTLED)
            self._leave_due = time.monotonic() + CALM if self._live else inf
        elif self._live and now >= self._leave_due and not self.poked.is_set():
            again = self._live.leave(self.project)
            self._leave_due = inf if again is None else time.monotonic() + again
        now = time.monotonic()
        if now >= self._look_due:
            self._look_due = _together(now + LOOK)
        return max(0.0, min(self._due, self._look_due, self._leave_due) - now)

    def _begin_anew(self, project: Project) -> None:
        """Take other settings, and forget what was seen and tried with those before."""
        if not owner.is_needed(project):
            owner.let_go(project)
        self.project = project
        self.at = self.seen = self.trouble = self.setback = self._marks = None
        self.in_vain, self._truth, self._caught = 0, (), ()
        self._due = 0.0

    def _refs_stood_still(self) -> bool:
        """Return whether refs are what they were all the while since the last tick looked at the places."""
        return (
            self.at is None or self._marks is None or places.stood_still(self._marks, places.marks(self.at))
        )

    def _show_life(self) -> bool:
        """Say that a tick goes on, as it does itself during a long set-up; return whether it shall end."""
        self._sign = time.monotonic()
        return self.stopping.is_set() or bool(self._renewed) or owner.is_lost(self.project)

    def _next_try(self, setback: Setback) -> float:
        """Return when a tick that failed is due again: soon, if what it rested on is no longer the same."""
        same = self._ground() == setback.ground
        return setback.at + (setback.wait if same else FIRST_WAIT)

    def _has_changed(self) -> bool:
        """Take the full look: return whether anything differs from what the last tick began with."""
        code = self.project.main_code
        with suppress(WtwatchError, OSError):
            caught = places.caught(self.at) if self.at is not None else ()
            if caught != self._caught or self.at is None:
                if places.truth(self.project) != self._truth:
                    return True
                self._caught = caught
            if jj.drives(code) and not jj.is_colocated(code):  # what it does need not show in files of git
                return tip.read(self.project) != tip.ask(self.project, anew=True)()
            return False
        return True

    def _tick(self) -> float | None:
        """Tick once; return after how many seconds to do so again though nobody pokes."""
        try:
            self._look()
            owner.own(self.project)
            self._tell_whose(None)
            again = self._say(reconcile.tick(self.project, self._options()))
        except owner.Elsewhere as error:
            self.background.stop()
            self._tell_whose(error)
            return ELSEWHERE
        except Busy as error:
            _log.debug("%s: %s", self.project.name, error.message)
            if self._is_held_too_long(error):
                self._announce(reconcile.Done(waits=error.message, busy=error.processes))
            return self._patience()
        except WtwatchError as error:
            return self._complain(error)
        except OSError as error:  # a full disk, say
            return self._complain(of_system(error))
        except Exception as error:
            if self._causes.is_news(repr(error)):
                _log.exception("%s: wtwatch itself failed", self.project.name)
            return self._complain(WtwatchError(f"wtwatch itself failed: {error!r}.", "See the daemon's log."))
        return again

    def _tell_whose(self, elsewhere: WtwatchError | None) -> None:
        """Log that another host acts on the project, once, and that this one does again."""
        if elsewhere is not None and not self._is_elsewhere:
            _log.warning("%s: %s", self.project.name, elsewhere.message)
        elif elsewhere is None and self._is_elsewhere:
            _log.info("%s: goes on here", self.project.name)
        self._is_elsewhere = elsewhere is not None
        if elsewhere is not None:
            self.trouble, self.setback = elsewhere.message, None

    def _look(self) -> None:
        """Note what the tick begins with, so that whatever changes from now on is found."""
        at = places.places(self.project)
        marks, caught, truth = places.marks(at), places.caught(at), places.truth(self.project)
        if self.at != at:
            self.at = at
            self._ring()
        if self._truth[:1] != truth[:1]:  # a new move is looked at as soon as the first
            self.in_vain = 0
        self._caught, self._truth = caught, truth
        self.seen, self._marks = places.fingerprint(at), marks

    def _patience(self) -> float:
        """Return when to look again for something that gives no sign when it ends: soon, then seldom."""
        self.in_vain = min(self.in_vain + 1, 6)
        return min(SWEEP, 0.25 * 2.0**self.in_vain)

    def _options(self) -> reconcile.TickOptions:
        return reconcile.TickOptions(
            start_jobs=True,
            stop=self._show_life,
            after_failure=self.setback is not None,
            beside=self.background,
        )

    def _complain(self, error: WtwatchError) -> float:
        """Tell of a tick that failed; return after how many seconds to try again."""
        self.trouble = error.message
        if self._causes.is_news(error.message):
            _log.error("%s: %s", self.project.name, error.message.replace("\n", " / "))
        with suppress(WtwatchError, OSError):  # if even that cannot be written, the log has it
            if self.project.state.is_dir():
                reconcile.explain_error(self.project, error)
                self._announce(reconcile.Done(waits=error.message, hint=error.hint))
        before = self.setback
        again = before.wait * 2 if before and before.cause == error.message else FIRST_WAIT
        wait = min(again, LONGEST_WAIT)
        self.setback = Setback(error.message, self._ground(), wait, time.monotonic())
        return wait

    def _ground(self) -> Fingerprint:
        """Return what the next tick rests on; what cannot be looked at is ground enough."""
        if self.at is None:
            return (places.identity(self.project.main_code),)
        try:
            return places.ground(self.project, self.at)
        except (WtwatchError, OSError) as error:
            return (str(error),)

    def _is_held_too_long(self, error: Busy) -> bool:
        """Return whether somebody has had the run tree's lock for so long that the user is to be told."""
        with suppress(WtwatchError, OSError):
            asked = self.project.on_attention and causes.overdue(self.project, error.processes)
            return bool(asked) and causes.is_held_up(self.project)
        return False

    def _announce(self, done: reconcile.Done) -> None:
        """Have the user told of a tick; that it cannot be fails no tick.

        What is to be told is on the disk before it is noted as told, and that before a command begins.
        """
        project = self.project
        if not (project.on_attention or project.on_batch_end):
            return
        try:
            news = causes.of_tick(project, done)
            announce.post(project, news.causes)
            Queue(project.state).note_told(news.standing, news.ended)
            if announce.waiting(project):  # of an earlier daemon too
                self._crier.tell(project)
        except (WtwatchError, OSError) as error:
            if self._causes.is_news(f"untold: {error}"):
                _log.warning("%s: the user cannot be told: %s", project.name, error)

    def _say(self, done: reconcile.Done) -> float | None:
        """Log what a tick did; return after how many seconds the next is due without an event."""
        name = self.project.name
        told = list(diary.lines(done))
        for line in told:
            _log.info("%s: %s", name, line)
        if told and not done.waits:
            self._causes.forget()
        self._announce(done)
        if done.waits and self._causes.is_news(done.waits):
            _log.warning("%s: %s", name, done.waits)
        self.trouble = done.waits
        if done.ended or done.beside or not done.busy:
            self.in_vain = 0
        if done.busy:
            return self._patience()
        self.setback = None
        return min(SWEEP, done.again_in or SWEEP) if done.waits else done.again_in
