"""What ``status`` prints: one screen for people, a word or two for a prompt, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from wtwatch.project import config
from wtwatch.project.registry import meant
from wtwatch.views import status
from wtwatch.views.status import Document, since
from wtwatch.views.terminal import say, styled
from wtwatch.words.model import counted

_COLOURS = {
    "fresh": "green",
    "behind": "yellow",
    "blocked": "red",
    "missing": "red",
    "ok": "green",
    "none": None,
}
_MARKS = {"fresh": "✓", "behind": "…", "blocked": "!", "missing": "✗"}


def show(project: str | None = None, as_json: bool = False, short: bool = False) -> int:
    """Print where things stand: of the project of that name, else of this place, else of all.

    Returns the exit code: 1 if something needs the user. Raises :class:`WtwatchError`.
    """
    found = meant(project)
    document = status.collect(found.projects, [(broken.name, broken.error) for broken in found.broken])
    reasons = status.attention(document, config.unit_file().exists())
    if as_json:
        say(json.dumps(document, ensure_ascii=False, indent=1))
    elif short:
        say("  ".join(_short(entry) for entry in document["projects"]))
    else:
        say("\n".join(_screen(document, reasons)))
    return 1 if reasons else 0


def _short(entry: Document) -> str:
    queue, results = entry["queue"], entry["results"]
    words = [f"{entry['name']} {_MARKS[entry['freshness']]}"]
    words += [f"▶{queue['running']}"] if queue["running"] else []
    words += [f"⏳{queue['waiting']}"] if queue["waiting"] else []
    words += [f"✗{entry['unseen']}"] if entry["unseen"] else []
    words += [f"↑{results['ahead']}"] if results["ahead"] else []
    return " ".join(words)


def _screen(document: Document, reasons: list[str]) -> Iterator[str]:
    if not document["projects"] and not document["broken"]:
        yield "No projects yet. In the main tree of a superdataset: wtwatch init"
    for entry in document["projects"]:
        yield from _project(entry)
        yield ""
    yield _line("daemon", _daemon(document["daemon"]))
    if reasons:
        yield ""
        yield styled("Needs you:", "red", bold=True)
        yield from (f"  • {reason}" for reason in reasons)


def _project(entry: Document) -> Iterator[str]:
    yield f"{styled(entry['name'], bold=True)}  {entry['path']}"
    tip = f"{entry['tip'][:10]} {entry['subject'] or '(no description)'}" if entry["tip"] else "gone"
    yield _line("bookmark", f"{entry['bookmark']} → {tip}")
    yield _line("run tree", f"{_freshness(entry)}  {entry['run_tree']}")
    if entry["reason"]:
        yield _line("", styled(entry["reason"], _COLOURS[entry["freshness"]]))
    for line in (entry["hint"] or "").splitlines():
        yield _line("", f"→ {line}")
    if entry["edited"]:
        yield _line("", styled("its code has edits; they are backed up before a move", "yellow"))
    foreign = [process for process in entry["busy"] or [] if not process.get("job")]  # the job has its line
    for process in foreign:
        yield _line("busy", f"{process['name']} (pid {process['pid']}) for {since(process['since'])}")
    yield _line("environment", _environment(entry["environment"]))
    yield _line("pointer", _pointer(entry))
    yield from _queue(entry)
    yield _line("results", _results(entry["results"]))
    if entry["backups"]:
        unseen = f", {entry['backups_unseen']} new" if entry["backups_unseen"] else ""
        yield _line("backups", f"{entry['backups']}{unseen}  (wtwatch backups list)")
    if entry["settings"]["newer"]:
        yield _line("settings", "written for a newer wtwatch; what this one does not know is passed over")


def _freshness(entry: Document) -> str:
    word = entry["freshness"]
    text = f"{_MARKS[word]} {word}"
    if word == "behind" and entry["applied"]:
        text += f", at {entry['applied'][:10]}"
    last = entry["last_sync"]
    if word == "fresh" and last:
        text += f", moved {since(last['at'])} ago in {last['seconds']:.2f} s"
    return styled(text, _COLOURS[word])


def _environment(environment: Document) -> str:
    words = {"none": "none to look after", "ok": "✓ ok"}
    text = words.get(environment["state"], f"! {environment['state']}")
    if environment["detail"]:
        text += f": {environment['detail']}"
    return styled(text, _COLOURS.get(environment["state"], "red"))


def _pointer(entry: Document) -> str:
    recorded = entry["pointer"]["recorded"]
    if recorded is None:
        return styled("! the superdataset names no code commit", "red")
    if entry["pointer"]["saved"]:
        return styled("✓ saved", "green")
    return styled(f"… the superdataset names {recorded[:10]}", "yellow")


def _queue(entry: Document) -> Iterator[str]:
    queue = entry["queue"]
    counts = [f"{queue[word]} {word}" for word in queue if word not in ("paused", "standing") and queue[word]]
    if queue["standing"]:
        counts.append(f"{queue['standing']} standing (at every move)")
    text = " · ".join(counts) or "empty"
    yield _line("queue", (styled("paused · ", "yellow") if queue["paused"] else "") + text)
    running = entry["running"]
    if running:
        name = running["message"] or running["command"]
        length = f"for {since(running['started_at'])}, on {running['code'][:10]}"
        yield _line("", f"▶ job {running['id']} {length}: {name}")
    if entry["settling"]:
        yield _line("", f"batches start when the bookmark has been still for {entry['settling']:.0f} s more")


def _results(results: Document) -> str:
    if not results["ahead"]:
        return "✓ all in the main tree"
    text = f"{counted(results['ahead'], 'commit')} to bring home  (wtwatch merge)"
    return styled(f"{text}; they conflict", "red") if results["conflict"] else text


def _daemon(daemon: Document) -> str:
    if not daemon["running"]:
        return styled("! not running", "yellow") + "  (wtwatch service install, or wtwatch watch)"
    watched = f", {daemon['watches']} watches ({daemon['mode']})" if daemon["mode"] else ""
    up = f", up {since(daemon['since'])}" if daemon["since"] else ""
    return styled("✓ running", "green") + f", pid {daemon['pid']}{up}{watched}"


def _line(label: str, text: str) -> str:
    return f"  {label:<12} {text}"
