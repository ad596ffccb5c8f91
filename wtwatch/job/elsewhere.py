"""What an attempt on another host says of itself in its folder: who may do it, that it lives, its number.

A cluster may start a job twice (a site that forces requeues), late, or forget it. So whoever does the attempt
*claims* it first, which only one can, and so does whoever gives it up. Then it shows signs of life, since no
process of another host can be looked for.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wtwatch.doors.files import write_whole
from wtwatch.doors.processes import bearing, send
from wtwatch.job.attempt import Folder, Result
from wtwatch.job.steps import Draft
from wtwatch.words.model import now, stamp

BEAT = 10.0
"""Seconds between two signs of life."""


RUNS = "runs"
"""How what was seen of an attempt begins that is at work."""


def write_handle(folder: Folder, executor: str, native: str | None) -> None:
    """Say that the attempt is submitted to an executor, first without the number that it will have there."""
    facts = {"executor": executor, "native": native, "at": stamp(now())}
    write_whole(folder.path / "handle", json.dumps(facts, indent=1))


def is_submitted(folder: Folder) -> bool:
    """Return whether the attempt was, or was about to be, submitted to an executor."""
    return (folder.path / "handle").exists()


def native_of(folder: Folder) -> str | None:
    """Return the number by which an executor knows the attempt, if that came to be known."""
    with suppress(OSError, ValueError, AttributeError):
        native = json.loads((folder.path / "handle").read_text()).get("native")
        return native if isinstance(native, str) else None
    return None


def note_seen(folder: Folder, text: str) -> None:
    """Keep what an executor sees of an attempt, for whoever shows it."""
    with suppress(OSError):  # on a full disk it is not shown
        if seen(folder) != text:
            write_whole(folder.path / "seen", text)


def seen(folder: Folder) -> str | None:
    """Return what an executor saw of the attempt when it looked last."""
    try:
        return (folder.path / "seen").read_text()
    except OSError:
        return None


def waits(folder: Folder) -> str | None:
    """Return what keeps a submitted attempt from its work, or that nobody knows; ``None`` if it runs."""
    text = seen(folder)
    return None if text is None or text.partition(":")[0] == RUNS else text


def claim(folder: Folder, who: str) -> bool:
    """Have the attempt for oneself: to do it, or to give it up; return whether nobody had it before.

    By open(2) with O_EXCL, which is atomic on NFS from version 3 on. Raises :class:`OSError` if the folder
    cannot be written to.
    """
    try:
        handle = os.open(folder.path / "claim", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file, suppress(OSError):  # that it is there says enough
        json.dump({"by": who, "host": os.uname().nodename, "at": stamp(now())}, file)
        file.flush()
        os.fsync(file.fileno())
    return True


def give_up(folder: Folder, result: Result) -> bool:
    """End an attempt that nobody has begun, so that nobody will; return whether that was so.

    Raises :class:`OSError` if the folder cannot be written to.
    """
    if not claim(folder, "nobody: it was given up"):
        return False
    Draft(folder).publish(result)
    return True


def is_claimed(folder: Folder) -> bool:
    """Return whether somebody does the attempt, did it, or gave it up."""
    return (folder.path / "claim").exists()


@contextmanager
def living(folder: Folder) -> Iterator[None]:
    """Show signs of life while the body runs: a number that counts up in a file."""
    over = threading.Event()

    def beat() -> None:
        number = 0
        while not over.wait(BEAT if number else 0):
            number += 1
            with suppress(
                OSError
            ):  # on a full disk it seems dead, but is not taken for it while Slurm has it
                (folder.path / "beat").write_text(str(number))

    thread = threading.Thread(target=beat, name="wtwatch beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def beat(folder: Folder) -> str | None:
    """Return the last sign of life, to be compared with another one; read, since that asks NFS anew."""
    try:
        return (folder.path / "beat").read_text()
    except OSError:
        return None


def end_processes(variable: str, value: str) -> None:
    """End what an attempt left running on this host, this process and the one that waits for it apart.

    TERM first, KILL after some seconds.
    """
    import signal
    import time

    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 3
        while others := [pid for pid in bearing(variable, value) if pid not in (os.getpid(), os.getppid())]:
            send(others, number)
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
