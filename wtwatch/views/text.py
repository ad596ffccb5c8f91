"""What ``status`` prints: one screen for people, a word or two for a prompt, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from wtwatch import __version__
from wtwatch.project.registry import meant
from wtwatch.queue.prospects import Upcoming
from wtwatch.stale.tally import Tally
from wtwatch.views import attention, quick
from wtwatch.views.as_json import document
from wtwatch.views.jobwords import exit_words, one_line
from wtwatch.views.lines import AGO, LEFT, Line
from wtwatch.views.lines import screen as drawn_on
from wtwatch.views.snapshot import DaemonSnapshot, FailedJob, Holder, ProjectSnapshot, Results, Snapshot
from wtwatch.views.terminal import say, width
from wtwatch.words.model import EnvironmentState, Freshness, Verdict, ago, counted, lasting, now
from wtwatch.words.quoting import quoted

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
_COMMAND = 40
"""Letters of a command by hand that are shown."""

_NAMES = 12
"""Variables that are named one by one."""

_RUN = 5
"""Jobs in lanes that are named one by one."""

_FEW = 3
"""Batches that are named one by one."""


def show(project: str | None = None, as_json: bool = False, short: bool = False) -> int:
    """Print where things stand: of the project of that name, else of this place, else of all.

    ``short`` is for a prompt: of a place that is no project's it says nothing. Returns the exit code: 1 if
    something needs the user. Raises :class:`WtwatchError`.
    """
    snapshot = _collected(project, everywhere=as_json or not short)
    at = now()
    reasons = attention.reasons(snapshot, at)
    if as_json:
        say(json.dumps(document(snapshot), ensure_ascii=False, indent=1))
    elif not short:
        say("\n".join(screen(snapshot, reasons, at)))
    elif not (snapshot.projects or snapshot.broken):
        return 0
    else:
        say("  ".join([*map(short_words, snapshot.projects), *(f"{one.name} ✗" for one in snapshot.broken)]))
    return 1 if reasons else 0


def drawn(project: str | None = None) -> list[str]:
    """Return the lines of the screen as it is now; see :func:`show`."""
    snapshot, at = _collected(project, everywhere=True), now()
    return list(screen(snapshot, attention.reasons(snapshot, at), at))


def _collected(project: str | None, everywhere: bool) -> Snapshot:
    found = meant(project, everywhere)
    return quick.collect(found.projects, [(broken.name, broken.error) for broken in found.broken])


def short_words(project: ProjectSnapshot) -> str:
    """Return a project in a word or two, for a prompt."""
    queue, results, batch = project.queue, project.results, project.batch
    words = [f"{project.name} {_MARKS[project.standpoint.freshness]}"]
    words += ["⏸"] if queue.paused else []
    if project.running:
        at_once = len(project.beside) or 1
        words += [f"▶{batch.ended + at_once}/{batch.jobs}" if batch else "▶"]
        words[-1] += f"×{at_once}" if at_once > 1 else ""
    words += [f"⏳{number}"] if (number := queue.jobs["waiting"]) else []
    words += [f"✗{queue.unseen}"] if queue.unseen else []
    words += [f"↑{results.ahead}"] if results.ahead else []
    return " ".join(words)


def screen(snapshot: Snapshot, reasons: list[str], at: datetime, columns: int | None = None) -> Iterator[str]:
    """Yield the lines of the screen at the moment ``at``, with the ``reasons`` to look last.

    ``columns``: how wide a line may be, by default as wide as the terminal is, or 80.
    """
    if not snapshot.projects and not snapshot.broken:
        yield "No projects yet. In the main tree of a superdataset: wtwatch init"
    shown = ((one.name, str(one.path), lines(one, at)) for one in snapshot.projects)
    wide = columns or width() or 80
    yield from drawn_on(shown, daemon_lines(snapshot.daemon), reasons, wide, at.timestamp())


def lines(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Yield the lines of a project below its name; what they say of the moment ``at`` is in :class:`Line`."""
    for part in (_code, _elsewhere, _work, _queue, _failures, _home):
        yield from part(project, at)


def _code(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say where code stands, and why it does not move."""
    freshness, reason, hint = project.standpoint
    yield Line("bookmark", f"{project.bookmark} → {_tip(project)}")
    yield _freshness(project)
    yield Line("", str(project.run_tree))
    if reason:
        yield Line("", reason, _COLOURS[freshness])
    yield from (Line("", f"→ {line}") for line in (hint or "").splitlines())
    if project.edited:
        yield Line("", "its code has edits; they are backed up before a move", "yellow")
    yield _environment(project.environment)
    yield from (
        Line("" if number else "carried", said, "yellow") for number, said in enumerate(project.carried)
    )
    yield from _variables(project.inherited)
    yield _pointer(project)


def _elsewhere(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say which other host acts on the project."""
    one = project.elsewhere
    if one is None:
        return
    who = one.host or "a host that cannot be told"
    for_long = f" for {ago(one.since, at)}" if one.since else ""
    silent = f"no sign of life for {ago(one.renewed, at)}" if one.gone else f"seen {ago(one.renewed, at)} ago"
    yield Line("owner", f"{who} acts on it{for_long}, {silent}", "yellow" if one.gone else None)
    if one.gone:
        yield Line("", f"→ wtwatch sync {project.name}, to go on from here")


def _variables(names: Sequence[str]) -> Iterator[Line]:
    """Say what jobs had from the daemon's shell before an upgrade, and how they get it again."""
    if not names:
        return
    plain = [name for name in names if "=" not in name]
    more = f" and {len(plain) - _NAMES} more" if len(plain) > _NAMES else ""
    folders = next((one.partition("=")[2] for one in names if "=" in one), "")
    parts = [f"in {', '.join(plain[:_NAMES])}{more}"] if plain else []
    parts += [f"on PATH in {folders}"] if folders else []
    yield Line("variables", f"jobs get no more what the daemon's shell has {', and '.join(parts)}", "yellow")
    if plain:
        yield Line("", f'→ wtwatch config env.{plain[0]} "${plain[0]}"')
    if folders:
        path = f"{folders}:$PATH"
        yield Line("", f"→ wtwatch config env.PATH {quoted(path)}")
    yield Line("", "→ or, if they need none of it: wtwatch ack --all")


def _tip(project: ProjectSnapshot) -> str:
    if project.tip is None:
        return project.missing or "gone"
    return f"{project.tip[:10]} {one_line(project.subject or '') or '(no description)'}"


def _freshness(project: ProjectSnapshot) -> Line:
    word, last = project.standpoint.freshness, project.last_sync
    text, moments = f"{_MARKS[word]} {word.value}", tuple[float, ...]()
    if word is Freshness.FRESH and last:
        text, moments = f"{text}, moved {AGO} ago in {last.seconds:.2f} s", (last.at.timestamp(),)
    elif word is not Freshness.FRESH and project.applied is not None:
        place = "at the tip" if project.applied == project.tip else f"at {project.applied[:10]}"
        text = f"{text}, {'last ' if word is Freshness.MISSING else ''}{place}"
    return Line("run tree", text, _COLOURS[word], moments=moments)


def _environment(environment: Verdict) -> Line:
    text, colour = _ENVIRONMENTS.get(environment.state, (f"! {environment.state.value}", "red"))
    return Line("environment", f"{text}: {environment.detail}" if environment.detail else text, colour)


def _pointer(project: ProjectSnapshot) -> Line:
    if project.recorded is None:
        return Line("pointer", "! the superdataset names no code commit", "red")
    if project.saved:
        return Line("pointer", "✓ saved", "green")
    return Line("pointer", f"… the superdataset names {project.recorded[:10]}", "yellow")


def _work(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say what runs, and how far it is; and who else works in the run tree."""
    job, batch = project.running, project.batch
    if project.beside:
        yield from _beside(project)
    elif job:
        what = one_line(job.message or job.command)
        text = f"▶ job {job.id} for {AGO}: {what}"
        yield Line("running", text, moments=(job.started.timestamp(),))
        if not batch:
            yield Line("", f"on {job.code_sha[:10]}")
    if batch:
        yield _progress(project)
    yield from _lanes(project)
    yield from _by_hand([one for one in project.busy if one.by_hand], at)
    for one in project.busy:
        if one.job is None and not one.by_hand:  # the job has its line
            yield Line("busy", f"{one.name} (pid {one.pid}) for {ago(one.since, at)}")


def _beside(project: ProjectSnapshot) -> Iterator[Line]:
    """Say what runs in lanes, and what is done there and waits to come into the run tree."""
    shown = project.beside[: _RUN if len(project.beside) > _RUN + 1 else None]
    label = "running"
    for job in shown:
        what, where = one_line(job.message or job.command), f"job {job.id} in lane {job.lane}"
        if job.over:
            yield Line(label, f"✓ {where} is done; its result waits for the run tree", "yellow")
        elif job.waits:
            text = f"… {where} for {AGO}, {one_line(job.waits)}"
            yield Line(label, text, "yellow", cut=True, moments=(job.started.timestamp(),))
        else:
            yield Line(label, f"▶ {where} for {AGO}: {what}", cut=True, moments=(job.started.timestamp(),))
        label = ""
    if more := len(project.beside) - len(shown):
        yield Line("", f"and {more} more: wtwatch queue list --state running")


def _lanes(project: ProjectSnapshot) -> Iterator[Line]:
    """Say which lanes are made just now, and which cannot be used, or stay though not needed, and why."""
    if project.making:
        yield Line(
            "lanes", f"… {counted(len(project.making), 'lane')} of {project.lanes} being made or set up"
        )
    held = [one for one in project.held_lanes if one.reason not in (project.standpoint.reason or "")]
    for one in held[:_FEW]:
        yield Line(f"lane {one.lane}", f"! {one.reason}", "yellow")
        yield from (Line("", f"→ {line}") for line in one.hint.splitlines())
    if len(held) > _FEW:
        yield Line("", f"and {len(held) - _FEW} more lanes are not free: wtwatch doctor")


def _progress(project: ProjectSnapshot) -> Line:
    """Return how far the batch is that is under way: on which code, n of m, failed so far, how long yet."""
    job, batch = project.running, project.batch
    assert batch is not None
    code = f" on {batch.code_sha[:10]}" if batch.code_sha else ""
    done = f"{batch.ended} of {batch.jobs} ended"
    if project.beside:
        done += f", {len(project.beside)} in lanes"
    elif job:
        done = f"{batch.ended + 1} of {batch.jobs}"
    words = [f"batch {batch.id}{code}: {done}"]
    words += [f"{batch.failed} failed"] if batch.failed else []
    words += [f"began {AGO} ago"] if batch.began else []
    moments = (batch.began.timestamp() if batch.began else 0.0, *(project.ends() or ()))
    text = " · ".join(words) + (LEFT if len(moments) > 1 else "")
    return Line("" if job else "running", text, moments=moments)


def _by_hand(found: list[Holder], at: datetime) -> Iterator[Line]:
    """Say once what `wtwatch exec` runs, by the command itself where that is to be seen."""
    if not found:
        return
    own = [one for one in found if not (one.command or "").startswith("wtwatch exec")]
    first = min(own or found, key=lambda one: one.since)
    said = (first.command if own else None) or first.name
    said = one_line(said)
    said = said if len(said) <= _COMMAND else said[: _COMMAND - 1] + "…"
    yield Line("exec", f"{said}  (pid {first.pid}) for {ago(first.since, at)}")


def _queue(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say how much there is, what waits, and for what."""
    queue = project.queue
    counts = {word: number for word, number in queue.current.items() if number}
    words = [*(word for word in queue.jobs if word in counts), *sorted(counts.keys() - queue.jobs.keys())]
    yield Line("queue", " · ".join(f"{counts[word]} {word}" for word in words) or "empty")
    if queue.paused:
        why = f"{queue.paused_for}; " if queue.paused_for else ""
        yield Line("", f"paused: {why}nothing starts until `wtwatch queue resume`", "yellow")
    if queue.due:
        yield Line("", f"next: {_batches(queue.due)}")
    if queue.on_move:
        yield Line("", f"after the next move: {_batches(queue.on_move)}")
    if queue.settling and not project.batch:
        yield Line("", f"starts when the bookmark has been still for {queue.settling:.0f} s more")
    if queue.standing:
        words = [counted(plain, "standing job")] if (plain := queue.standing - queue.touched) else []
        words += [f"those of {counted(queue.touched, 'result')} that it touches"] if queue.touched else []
        yield Line("", f"at every move: {' · '.join(words)}")
    if held := queue.jobs.get("held"):
        need = "job needs" if held == 1 else "jobs need"
        yield Line("", f"! {held} {need} approval: wtwatch queue list --state held", "yellow")
        yield Line("", "→ wtwatch queue approve JOBS · wtwatch queue approve --all")
    yield from _loaded(project)


def _loaded(project: ProjectSnapshot) -> Iterator[Line]:
    """Say which file that jobs were loaded from changed since, and what of one makes no jobs."""
    for one in project.loaded:
        path = one_line(one.path)
        if one.gone:
            yield Line("", f"! {path}, which was loaded, is gone; what it asked for stays", "yellow")
        elif one.changed:
            yield Line("", f"! {path} changed since it was loaded", "yellow")
            yield Line("", f"→ wtwatch queue load {quoted(project.path / one.path)}")
        if one.said:
            yield Line("", f"! {path}: {one_line(one.said)}", "yellow")


def _batches(batches: tuple[Upcoming, ...]) -> str:
    shown = [f"batch {one.id}, {counted(one.jobs, 'job')}" for one in batches[:_FEW]]
    more = [f"and {len(batches) - _FEW} more"] if len(batches) > _FEW else []
    return " · ".join([*shown, *more])


def _failures(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say what failed and was not seen yet: a job, how it ended, its last words, and the ways on."""
    label = "failed"
    for job in project.failed:
        yield Line(label, f"✗ job {job.id}, {_ended(job)}: {job.what}", "red")
        label = ""
        if job.said:
            yield Line("", job.said, cut=True)
    more = project.queue.unseen - len(project.failed)
    if more > 0:
        yield Line(label, f"and {more} more: wtwatch queue list")
    if project.failed:
        yield Line("", f"→ wtwatch queue logs {project.failed[0].id} · wtwatch queue retry --failed")


def _ended(job: FailedJob) -> str:
    return exit_words(job.exit) if job.exit else job.state


def _home(project: ProjectSnapshot, at: datetime) -> Iterator[Line]:
    """Say what is to be merged, what a merge brings the other way, and what was backed up."""
    yield _results(project.results)
    yield from _from_main(project.results)
    yield from _outlived(project)
    if project.stale and project.stale.reasons:
        yield _stale(project.stale)
    if project.backups:
        yield Line("backups", f"{_backups(project.backups, project.backups_unseen)}: wtwatch backups list")
    if project.newer:
        yield Line("settings", "written for a newer wtwatch; what this one does not know is passed over")


def _outlived(project: ProjectSnapshot) -> Iterator[Line]:
    """Say what jobs make no more and what is still there, with the ways out."""
    label = "outputs"
    for one in project.outlived[:_FEW]:
        more = f" and {one.number - 1} more" if one.number > 1 else ""
        are = "are" if one.number > 1 else "is"
        yield Line(
            label, f"! {one_line(one.paths[0])}{more} {are} not made any more by job {one.job}", "yellow"
        )
        label = ""
    if project.outlived:
        first = project.outlived[0]
        yield Line("", f"→ wtwatch queue show {first.job} · wtwatch config prune_outputs true, and again")


def _stale(tally: Tally) -> Line:
    """Say how many results code, inputs or environment have left behind, by what, and the way on."""
    first, *more = tally.reasons
    why = f"{first.path} {first.how}" + (f" in {first.commit[:10]}" if first.commit else "")
    why = one_line(why + (f" (and {len(more)} more)" if more else ""))
    number = f"{tally.stale} of {counted(tally.results, 'result')}"
    return Line("stale", f"{number}, because {why}: wtwatch queue rerun --stale", "yellow")


def _backups(number: int, unseen: int) -> str:
    if unseen in (0, number):
        return f"{number}{', not seen yet' if unseen else ''}"
    return f"{number}, {unseen} of them not seen yet"


def _results(results: Results) -> Line:
    if not results.ahead and results.away:
        few = ", ".join(results.away[:_FEW])
        more = f" and {len(results.away) - _FEW} more" if len(results.away) > _FEW else ""
        return Line("results", f"not in the main tree as a repository: {few}{more}: wtwatch merge", "yellow")
    if not results.ahead:
        return Line("results", "✓ all in the main tree")
    text = f"{counted(results.ahead, 'commit')} to bring home: wtwatch merge"
    if results.conflict:
        return Line("results", f"{text}; they conflict", "red")
    return Line("results", text)


def _from_main(results: Results) -> Iterator[Line]:
    """Say what changed in main that the run tree does not have yet, when that comes, and what bars it."""
    if results.elsewhere:
        yield Line("from main", f"nothing comes while the main tree is on {one_line(results.elsewhere)}")
        yield Line("", "→ to have it come from another branch: wtwatch config main_branch NAME")
    if not (results.from_main or results.subdatasets):
        return
    when = "" if results.barred or results.asked else "with the next move, or now: "
    parts = [counted(results.from_main, "file")] if results.from_main else []
    named = ", ".join(results.subdatasets[:_FEW])
    more = f" and {len(results.subdatasets) - _FEW} more" if len(results.subdatasets) > _FEW else ""
    parts += [f"the subdataset{'s' * (len(results.subdatasets) > 1)} {named}{more}"] if named else []
    yield Line("from main", f"{' and '.join(parts)} changed there; {when}wtwatch sync --from-main")
    if results.barred:
        reason, hint = results.barred
        yield Line("", reason, "yellow")
        yield from (Line("", f"→ {line}") for line in hint.splitlines())


def daemon_lines(daemon: DaemonSnapshot) -> Iterator[Line]:
    """Yield the lines of the daemon."""
    if daemon.restarting:
        yield Line("daemon", "… restarting: wtwatch service status", "yellow")
    elif not daemon.running:
        yield Line("daemon", "! not running: wtwatch service install, or wtwatch watch", "yellow")
    elif attention.is_silent(daemon):
        silent = f", for {lasting(daemon.silent)}" if daemon.silent else ""
        yield Line("daemon", f"! stands still, pid {daemon.pid}{silent}: kill -CONT {daemon.pid}", "red")
    else:
        up, moments = (f", up {AGO}", (daemon.since.timestamp(),)) if daemon.since else ("", ())
        watched = f", {daemon.watches} watches ({daemon.mode})" if daemon.mode else ""
        yield Line("daemon", f"✓ running, pid {daemon.pid}{up}{watched}", "green", moments=moments)
    if attention.is_of_another_version(daemon):
        yield Line("", f"of version {daemon.version}, but {__version__} is installed", "yellow")
    if daemon.running and daemon.mode == "polling":
        why = f": {daemon.why}" if daemon.why else ""
        yield Line("", f"looks for moves every second, instead of hearing of them{why}", "yellow")
