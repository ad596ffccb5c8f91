"""A few threads for the turns of many projects: each has one when it is due, and never two at once.

One that takes long (an environment that is being built) does not count among the few, so that it holds up
no other. In quiet times one thread is left, which waits for what is due next.
"""

from __future__ import annotations

import threading
import time
from math import inf
from typing import Protocol

AT_ONCE = 3
"""How many turns are taken side by side: most of each is waiting for git."""

LONG = 1.0
"""Seconds after which a turn counts as one that takes long."""

QUICK = 0.002
"""Seconds within which most turns are over that only look whether something changed.

As long as somebody is in such a turn, nobody helps: threads that take turns of microseconds side by side
spend ten times as long on waiting for each other.
"""


class Member(Protocol):
    """Who has turns. Hashed by identity."""

    def turn(self) -> float:
        """Take a turn; return in how many seconds the next is due. Raises nothing."""


class Pool:
    """Gives its members their turns, those first that are due first."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._due: dict[Member, float] = {}
        self._at_work: dict[Member, float] = {}
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._watching = False
        self._until = inf
        self._stopping = False

    def add(self, member: Member) -> None:
        """Have a new member take its first turn now."""
        with self._change:
            self._due[member] = time.monotonic()
            self._find_thread()

    def drop(self, member: Member) -> None:
        """Give a member no further turn; the one that is under way goes on."""
        with self._change:
            self._due.pop(member, None)

    def wake(self, member: Member) -> None:
        """Have a member take a turn now, or as soon as the one that is under way has ended."""
        with self._change:
            if member in self._due:
                self._due[member] = min(self._due[member], time.monotonic())
                self._find_thread()

    def look(self) -> None:
        """See to it that nothing which is due waits for turns that take long; call it now and then."""
        with self._change:
            self._find_thread()

    def stop(self, grace: float) -> None:
        """End when the turns that are under way have, but within ``grace`` seconds."""
        with self._change:
            self._stopping = True
            self._due.clear()
            self._change.notify_all()
            threads = list(self._threads)
        deadline = time.monotonic() + grace
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _next(self) -> tuple[float, Member | None]:
        """Return who is due next, and when, of those whose turn is not under way."""
        first, who = inf, None
        for member, due in self._due.items():  # plainly, as each turn of a hundred asks for it
            if due < first and member not in self._at_work:
                first, who = due, member
        return first, who

    def _find_thread(self) -> None:
        """Have somebody take the turn that is due now, if one is."""
        now, due = time.monotonic(), self._next()[0]
        if self._stopping or due > now:
            if self._idle and due < self._until:
                self._change.notify()  # to wait for what is due next by now
            return
        long = sum(now - began >= LONG for began in self._at_work.values())
        if self._idle:
            if not self._watching:  # else it sees by itself when it is needed
                self._change.notify()
        elif len(self._threads) - long < AT_ONCE:
            thread = threading.Thread(target=self._live, name="ticks", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _is_needed(self, now: float) -> bool:
        """Return whether all turns that are under way take longer than a look."""
        return all(now - began >= QUICK for began in self._at_work.values())

    def _live(self) -> None:
        at_work = False
        while (member := self._take(at_work)) is not None:
            at_work = True
            again = member.turn()
            with self._change:
                del self._at_work[member]
                if member in self._due:  # else it was dropped meanwhile
                    self._due[member] = min(self._due[member], time.monotonic() + again)
        with self._change:
            self._threads.discard(threading.current_thread())

    def _take(self, at_work: bool) -> Member | None:
        """Wait for a turn that is due and return whose it is; ``None``: this thread is not needed.

        ``at_work``: it has just ended another.
        """
        with self._change:
            while not self._stopping:
                due, member = self._next()
                now = time.monotonic()
                is_due = member is not None and due <= now
                if is_due and member is not None and (at_work or self._is_needed(now)):
                    self._at_work[member], self._due[member] = now, inf
                    self._find_thread()  # for the one after it
                    return member
                if self._idle:
                    self._change.notify()  # what is due next may be due earlier than it waits for
                    break
                at_work = False
                self._idle += 1
                self._watching = is_due
                self._until = due
                self._change.wait(QUICK if is_due else None if due == inf else due - now)
                self._watching = False
                self._idle -= 1
            self._threads.discard(threading.current_thread())  # under the lock: nobody counts on us now
            return None
