"""The daemon as others see it: whether it runs, what it says of itself, and when its loop last turned."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from wtwatch.doors.clock import Instant, boot_id, elapsed
from wtwatch.doors.files import holder
from wtwatch.doors.proc import is_stopped
from wtwatch.project import config
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.words.model import moment


def daemon() -> DaemonSnapshot:
    """Return whether this host's daemon runs, and what it says of itself."""
    file = config.daemon_file()
    pid, installed = holder(file), config.unit_file().exists()
    if pid is None:
        return DaemonSnapshot(False, installed, restarting=installed and _is_restarting())
    with suppress(OSError, ValueError, TypeError, AttributeError):  # it is writing just now
        return _in_its_words(json.loads(file.read_text(encoding="utf-8")), installed, pid)
    return DaemonSnapshot(True, installed, pid, stopped=is_stopped(pid))


def _in_its_words(said: dict[str, Any], installed: bool, pid: int) -> DaemonSnapshot:
    beat = _newest_beat(pid, Instant(**said["beat"]) if said.get("beat") else None)
    return DaemonSnapshot(
        running=True,
        installed=installed,
        pid=pid,
        since=moment(said["since"]) if said.get("since") else None,
        mode=said.get("mode"),
        watches=said.get("watches"),
        version=said.get("version", config.FIRST),
        beat=beat,
        silent=elapsed(beat) if beat else None,
        stuck=tuple(said.get("stuck") or ()),
        stopped=is_stopped(pid),
        why=said.get("why"),
    )


def _newest_beat(pid: int, told: Instant | None) -> Instant | None:
    """Return when the daemon's loop last turned, which it notes in a file of its own more often."""
    with suppress(OSError, ValueError):
        seconds, who = (config.live_folder() / "beat").read_text(encoding="ascii").split()[:2]
        if int(who) == pid and (told is None or float(seconds) > told.seconds):
            return Instant(boot_id(), float(seconds))
    return told


def _is_restarting() -> bool:
    """Return whether the service is about to start the daemon again, which takes it a moment."""
    from wtwatch.setup import service

    return service.state().detail in ("starting", "restarting")
