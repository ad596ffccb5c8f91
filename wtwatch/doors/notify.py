"""What the daemon tells systemd: ready, how it fares, still alive, stopping (sd_notify(3)).

Where nobody asked to be told, that is without ``NOTIFY_SOCKET``, all of it does nothing.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def ready() -> None:
    """Say that the start is over: moves are noticed from now on."""
    _send("READY=1")


def status(text: str) -> None:
    """Say in one line how things stand, for ``systemctl --user status``."""
    _send("STATUS=" + " ".join(text.split()))  # each further line would be an order of its own


def watchdog() -> None:
    """Say that the loop still turns; due every :func:`watchdog_interval` seconds."""
    _send("WATCHDOG=1")


def stopping() -> None:
    """Say that the stop has begun."""
    _send("STOPPING=1")


def watchdog_interval() -> float | None:
    """Return the seconds between two calls of :func:`watchdog`, or ``None`` where nobody counts them.

    Half of the limit, as sd_watchdog_enabled(3) advises. A limit that is meant for another process, such
    as the parent that handed its environment down, does not count.
    """
    limit = os.environ.get("WATCHDOG_USEC", "")
    if not limit.isdecimal() or int(limit) == 0:
        return None
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(limit) / 1e6 / 2


def _send(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # the abstract namespace, see unix(7)
        address = "\0" + address[1:]
    # Python opens sockets close-on-exec; a systemd that is gone or hangs is no reason to fail
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(1)
        channel.sendto(state.encode(errors="replace"), address)
