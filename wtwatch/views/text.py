"""What ``status`` prints: one screen for people, a word or two for a prompt, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from wtwatch.project.registry import meant
from wtwatch.tree.environment import Verdict
from wtwatch.views import attention, status
from wtwatch.views.as_json import document
from wtwatch.views.snapshot import DaemonSnapshot, ProjectSnapshot, QueueSnapshot, Results, Snapshot
from wtwatch.views.terminal import say, styled
from wtwatch.words.model import EnvironmentState, Freshness, ago, counted, lasting, now

_COLOURS = {
    Freshness.FRESH: "green",
    Freshness.BEHIND: "yellow",
    Freshness.BLOCKED: "red",
    Freshness.MISSING: "red",
}
_MARKS = {Freshness.FRESH: "✓", Freshness.BEHIND: "…", Freshness.BLOCKED: "!", Freshness.MISSING: "✗"}
_ENVIRONMENTS: dict[EnvironmentState, tuple[str, str | None]] = {
    EnvironmentState.OK: ("✓ ok", "green"),
    EnvironmentState.NONE: ("none to look after", None),
}


def show(project: str | None = None, as_json: bool = False, short: bool = False) -> int:
    """Print where things stand: of the project of that name, else of this place, else of all.

    Returns the exit code: 1 if something needs the user. Raises :class:`WtwatchError`.
    """
    found = meant(project)
    snapshot = status.collect(found.projects, [(broken.name, broken.error) for broken in found.broken])
    at = now()
    reasons = attention.reasons(snapshot, at)
    if as_json:
        say(json.dumps(document(snapshot), ensure_ascii=False, indent=1))
    elif short:
        say("  ".join(short_words(one) for one in snapshot.projects))
    else:
        say("\n".join(screen(snapshot, reasons, at)))
    return 1 if reasons else 0


def short_words(project: ProjectSnapshot) -> str:
    """Return a project in a word or two, for a prompt."""
    queue, results = project.queue, project.results
    words = [f"{project.name} {_MARKS[project.standpoint.freshness]}"]
    words += [f"▶{number}"] if (number := queue.jobs["running"]) else []
    words += [f"⏳{number}"] if (number := queue.jobs["waiting"]) else []
    words += [f"✗{queue.unseen}"] if queue.unseen else []
    words += [f"↑{results.ahead}"] if results.ahead else []
    return " ".join(words)


def screen(snapshot: Snapshot, reasons: list[str], at: datetime) -> Iterator[str]:
    """Yield the lines of the screen at the moment ``at``, with the ``reasons`` to look last."""
    if not snapshot.projects and not snapshot.broken:
        yield "No projects yet. In the main tree of a superdataset: wtwatch init"
    for project in snapshot.projects:
        yield from _project(project, at)
        yield ""
    yield _line("daemon", _daemon(snapshot.daemon, at))
    if reasons:
        yield ""
        yield styled("Needs you:", "red", bold=True)
        yield from (f"  • {reason}" for reason in reasons)


def _project(project: ProjectSnapshot, at: datetime) -> Iterator[str]:
    freshness, reason, hint = project.standpoint
    yield f"{styled(project.name, bold=True)}  {project.path}"
    yield _line("bookmark", f"{project.bookmark} → {_tip(project)}")
    yield _line("run tree", f"{_freshness(project, at)}  {project.run_tree}")
    if reason:
        yield _line("", styled(reason, _COLOURS[freshness]))
    for line in (hint or "").splitlines():
        yield _line("", f"→ {line}")
    if project.edited:
        yield _line("", styled("its code has edits; they are backed up before a move", "yellow"))
    for one in project.busy:
        if one.job is None:  # the job has its line
            yield _line("busy", f"{one.name} (pid {one.pid}) for {ago(one.since, at)}")
    yield _line("environment", _environment(project.environment))
    yield _line("pointer", _pointer(project))
    yield _line("queue", _queue(project.queue))
    yield from _jobs(project, at)
    yield _line("results", _results(project.results))
    if project.backups:
        unseen = f", {project.backups_unseen} new" if project.backups_unseen else ""
        yield _line("backups", f"{project.backups}{unseen}  (wtwatch backups list)")
    if project.newer:
        yield _line("settings", "written for a newer wtwatch; what this one does not know is passed over")


def _tip(project: ProjectSnapshot) -> str:
    if project.tip is None:
        return project.missing or "gone"
    return f"{project.tip[:10]} {project.subject or '(no description)'}"


def _freshness(project: ProjectSnapshot, at: datetime) -> str:
    word, last = project.standpoint.freshness, project.last_sync
    text = f"{_MARKS[word]} {word.value}"
    if word is Freshness.BEHIND and project.applied:
        text += f", at {project.applied[:10]}"
    if word is Freshness.FRESH and last:
        text += f", moved {ago(last.at, at)} ago in {last.seconds:.2f} s"
    return styled(text, _COLOURS[word])


def _environment(environment: Verdict) -> str:
    text, colour = _ENVIRONMENTS.get(environment.state, (f"! {environment.state.value}", "red"))
    return styled(f"{text}: {environment.detail}" if environment.detail else text, colour)


def _pointer(project: ProjectSnapshot) -> str:
    if project.recorded is None:
        return styled("! the superdataset names no code commit", "red")
    if project.saved:
        return styled("✓ saved", "green")
    return styled(f"… the superdataset names {project.recorded[:10]}", "yellow")


def _queue(queue: QueueSnapshot) -> str:
    counts = [f"{number} {word}" for word, number in queue.jobs.items() if number]
    if queue.standing:
        counts.append(f"{queue.standing} standing (at every move)")
    return (styled("paused · ", "yellow") if queue.paused else "") + (" · ".join(counts) or "empty")


def _jobs(project: ProjectSnapshot, at: datetime) -> Iterator[str]:
    job, settling = project.running, project.queue.settling
    if job:
        length = f"for {ago(job.started, at)}, on {job.code_sha[:10]}"
        yield _line("", f"▶ job {job.id} {length}: {job.message or job.command}")
    if settling:
        yield _line("", f"batches start when the bookmark has been still for {settling:.0f} s more")


def _results(results: Results) -> str:
    if not results.ahead:
        return "✓ all in the main tree"
    text = f"{counted(results.ahead, 'commit')} to bring home  (wtwatch merge)"
    return styled(f"{text}; they conflict", "red") if results.conflict else text


def _daemon(daemon: DaemonSnapshot, at: datetime) -> str:
    if not daemon.running:
        return styled("! not running", "yellow") + "  (wtwatch service install, or wtwatch watch)"
    if attention.is_silent(daemon):
        return styled(f"! stands still, pid {daemon.pid}, for {lasting(daemon.silent or 0)}", "red")
    watched = f", {daemon.watches} watches ({daemon.mode})" if daemon.mode else ""
    up = f", up {ago(daemon.since, at)}" if daemon.since else ""
    return styled("✓ running", "green") + f", pid {daemon.pid}{up}{watched}"


def _line(label: str, text: str) -> str:
    return f"  {label:<12} {text}"
