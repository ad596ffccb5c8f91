"""The screen of `doctor`: what was found, with the way out of each fault."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wtwatch import __version__
from wtwatch.setup.finding import Finding
from wtwatch.views import attention
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.views.terminal import folded, harmless, styled
from wtwatch.words.model import counted, lasting

_INDENT = " " * 4


def of_daemon(daemon: DaemonSnapshot, needed: bool) -> Iterator[Finding]:
    """Judge the daemon; ``needed``: there are projects for it to watch."""
    if not daemon.running:
        start = "wtwatch service restart" if daemon.installed else "wtwatch service install, or wtwatch watch"
        said = "It is being started." if daemon.restarting else "No daemon runs."
        yield Finding("daemon", not needed or daemon.restarting, said, start)
        return
    who = f"The daemon (pid {daemon.pid})"
    anew = "wtwatch service restart" if daemon.installed else f"kill {daemon.pid}, then: wtwatch watch"
    if daemon.stopped:
        yield Finding("daemon", False, f"{who} was stopped, as by Ctrl-Z.", f"kill -CONT {daemon.pid}")
    elif attention.is_silent(daemon):
        said = f"{who} has given no sign of life for {lasting(daemon.silent or 0)}."
        yield Finding("daemon", False, said, anew)
    elif attention.is_of_another_version(daemon):
        yield Finding("daemon", False, f"{who} is wtwatch {daemon.version}; this is {__version__}.", anew)
    else:
        yield Finding("daemon", True, f"answers, pid {daemon.pid}")
    for name in daemon.stuck:
        said = f"{who} hangs in what it does for {name}; its log says in what."
        yield Finding("daemon", False, said, anew)
    if daemon.mode == "polling":
        why = daemon.why or "there are no events to be had"
        yield Finding("watch", True, f"Moves are looked for every second: {why}.", "It works, but slower.")


def lines(groups: Mapping[str, Sequence[Finding]], columns: int | None) -> Iterator[str]:
    """Yield what was found, a group a paragraph: ✓ well, · a note, ✗ a fault with the way out."""
    for title, found in groups.items():
        yield styled(title, bold=True)
        for one in found:
            yield from _lines_of(one, columns)
        yield ""
    faults = sum(not one.ok for found in groups.values() for one in found)
    if faults:
        yield styled(f"{counted(faults, 'fault')}.", "red", bold=True)
    else:
        yield styled("All is well.", "green")


def _lines_of(one: Finding, columns: int | None) -> Iterator[str]:
    mark, colour = ("✗", "red") if not one.ok else ("·", "yellow") if one.hint else ("✓", "green")
    first, *more = folded(f"  {mark} {one.subject}: {harmless(one.message)}", columns, _INDENT)
    yield styled(first, colour) if mark != "✓" else first.replace(mark, styled(mark, colour), 1)
    yield from more
    for hint in (one.hint or "").splitlines():
        yield from folded(f"{_INDENT}→ {harmless(hint)}", columns, f"{_INDENT}  ")


def document(groups: Mapping[str, Iterable[Finding]]) -> str:
    """Return all of it as one JSON document, version 1."""
    found: list[dict[str, Any]] = [
        {"group": title, "subject": one.subject, "ok": one.ok, "message": one.message, "hint": one.hint}
        for title, findings in groups.items()
        for one in findings
    ]
    return json.dumps({"version": 1, "findings": found}, ensure_ascii=False, indent=1)
