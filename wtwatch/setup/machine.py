"""What the daemon needs of this machine: a service that goes on after log-out, and room for its watches."""

from __future__ import annotations

from collections.abc import Iterator

from wtwatch.doors import inotify
from wtwatch.setup import service
from wtwatch.setup.finding import Finding

ENOUGH = 128
"""A limit below this is small: one project takes some ten watches, and so do editors and file managers."""

FULL = 0.9
"""The part of a limit that may be in use."""


def findings() -> Iterator[Finding]:
    """Look at the service, if there is one, and at the limits of inotify."""
    state = service.state()
    if state.installed:
        way = None if state.active else "wtwatch service install"
        yield Finding("service", state.active, state.detail, way)
        yield _linger()
    else:
        said = "not installed: the daemon runs while you start it"
        yield Finding("service", True, said, "wtwatch service install")
    if rooms := inotify.rooms():
        yield _inotify(rooms)


def _linger() -> Finding:
    lingers = service.lingers()
    if lingers is None:
        return Finding("linger", True, "unknown: nobody here says whether it goes on after your log-out")
    if lingers:
        return Finding("linger", True, "the service goes on after your log-out")
    said = "The service ends with your last login, and so do jobs."
    return Finding("linger", True, said, "To have it go on: loginctl enable-linger")


def _inotify(rooms: list[inotify.Room]) -> Finding:
    """Judge what is left of the limits; the way out at least doubles them."""
    said = ", ".join(f"{room.used:,} of {room.most:,} {room.name}" for room in rooms)
    tight = [room for room in rooms if room.most < ENOUGH or room.used > FULL * room.most]
    if not tight:
        return Finding("inotify", True, f"{said} in use")
    fix = "; ".join(f"sudo sysctl {room.sysctl}={max(8192, 2 * room.most)}" for room in tight)
    names = " and ".join(room.name for room in tight)
    return Finding("inotify", False, f"There is little room for {names}: {said} in use.", fix)
