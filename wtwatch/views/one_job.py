"""All of one job on a screen, and in one sentence what it waits for, or what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import dataset
from wtwatch.doors.repo import Repo
from wtwatch.job import elsewhere
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue import learned
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import BatchLine, batch_of
from wtwatch.views import jobway, logtext
from wtwatch.views.factlines import commit_words, fact, listed, spec_facts, without_secrets
from wtwatch.views.jobdocument import log_of
from wtwatch.views.joblist import trigger
from wtwatch.views.jobwords import (
    COLOURS,
    MARKS,
    caption,
    harmless,
    is_bad,
    local,
    outcome,
    seconds,
    standing_number,
)
from wtwatch.views.terminal import folded, styled
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, PutBack, Running, Standing, counted, spent
from wtwatch.words.uses import Uses

_WORDS = 5
"""Last lines of the log of a job that failed."""

_LEFT = "what it left is in "  # how clearing up says it: the path has a line of its own


class Sight(NamedTuple):
    """What is shown of a job; ``words`` are the last that one printed which failed, ``way`` the sentence."""

    job: Job
    earlier: Sequence[Job]
    batch: BatchLine | None
    command: str
    subjects: dict[str, str]
    left: Path | None
    log: Path | None
    words: Sequence[str]
    way: str
    project: Project
    took: str | None = None
    uses: Uses | None = None


def collect(project: Project, number: int) -> Sight:
    """Return what there is to say of a job; raises :class:`WtwatchError` if there is none of that number."""
    queue = Queue(project.state)
    job = queue.job(number)
    earlier = queue.attempts(number)
    log = log_of(project, job)
    left = RunTree.of(project).shelf / "jobs" / f"{job.id}.{job.attempt}"
    return Sight(
        job._replace(spec=without_secrets(job.spec, project.secret)),
        earlier,
        batch_of(queue.file, job.batch),
        dataset.expanded(job.spec, project.run_tree),
        _subjects(project, job, earlier),
        left if left.exists() else None,
        log if log.exists() else None,
        logtext.last_words(log, _WORDS) if is_bad(job) else (),
        jobway.sentence(project, job),
        project,
        _taken(Folder.of(project.state, job.id, job.attempt)),
        queue.uses(number) if isinstance(job.state, Ended) else None,
    )


def _taken(attempt: Folder) -> str | None:
    """Return what the command of an attempt took, and on which host, as far as that was noted."""
    with suppress(WtwatchError):
        end, host = attempt.command(), attempt.host()
        if end is not None and end.used is not None:
            seconds = f"{end.used.cpu_seconds:g}" if end.used.cpu_seconds else "less than 0.01"
            most = f"{end.used.peak_memory_mb:,} MB of memory at most"
            return ", ".join([f"{seconds} s of processors", most, *([f"on {host}"] if host else [])])
    return None


def lines(sight: Sight, at: datetime, columns: int | None) -> Iterator[str]:
    """Yield the screen of a job at the moment ``at``, in lines of at most so many columns."""
    job, spec = sight.job, sight.job.spec
    state = f"{MARKS.get(job.word, '?')} {outcome(job)}"
    seen = " (seen)" if is_bad(job) and job.acknowledged else ""
    yield f"{styled(f'job {job.id}', bold=True)}  {styled(state, COLOURS.get(job.word))}{seen}"
    if spec.message:
        yield from fact("message", spec.message, columns)
    for label, text in (*_facts(sight, at), *spec_facts(spec, sight.command)):
        yield from fact(label, text, columns)
    yield from _end(sight, at, columns)
    yield ""
    yield from folded(sight.way, columns)


def standing_lines(template: Standing, subjects: dict[str, str], columns: int | None) -> Iterator[str]:
    """Yield the screen of standing orders."""
    what = f"standing: {standing_number(template)}, a new batch at every move"
    yield styled(f"s{template.id}", bold=True) + f"  {what}"
    yield from fact("last on", commit_words(template.base, subjects), columns)
    yield from fact("queued", local(template.queued), columns)
    alone = len(template.specs) == 1
    for spec in template.specs:
        if alone and spec.message:
            yield from fact("message", spec.message, columns)
        for label, text in spec_facts(spec, spec.command) if alone else [("", _short(spec))]:
            yield from fact(label, text, columns)
    yield ""
    yield f"To take it back: wtwatch queue cancel s{template.id}"


def _short(spec: JobSpec) -> str:
    return f"{caption(spec)}: {spec.command}" if spec.message else caption(spec)


def _facts(sight: Sight, at: datetime) -> Iterator[tuple[str, str]]:
    job, state, batch = sight.job, sight.job.state, sight.batch
    if batch is not None:
        number = sum(count for word, count in batch.counts.items() if word != "retried")
        of = f"of s{batch.standing}" if batch.standing else ""
        yield "batch", ", ".join(filter(None, [str(batch.id), counted(number, "job"), trigger(batch), of]))
    code_sha = state.code_sha if isinstance(state, Running | Ended) else batch and batch.code_sha
    if code_sha:
        yield "code", commit_words(code_sha, sight.subjects)
    yield "queued", _moment(job.queued)
    started = state.started if isinstance(state, Running | Ended) else None
    took = seconds(job, at)
    if started and took is not None:
        yield (
            "started",
            f"{_moment(started)}, {'runs for' if isinstance(state, Running) else 'ran'} {spent(took)}",
        )
    if isinstance(state, Ended):
        yield "ended", _moment(state.ended)
    if isinstance(state, Running | Ended) and state.lane is not None:
        yield "lane", f"{state.lane} ({RunTree.of_lane(sight.project, state.lane).path.name})"
    if job.put_back:
        yield "put back", put_back_words(job.put_back)
    folder = Folder.of(sight.project.state, job.id, job.attempt)
    if isinstance(state, Running) and elsewhere.is_submitted(folder):
        native = elsewhere.native_of(folder)
        words = [f"job {native}" if native else "", elsewhere.seen(folder) or ""]
        yield "on Slurm", ", ".join(filter(None, words)) or "just submitted"
    if sight.took:
        yield "took", sight.took
    if sight.uses is not None and sight.uses != learned.UNKNOWN:
        yield "used", _used(sight.uses, job.id)


def _used(uses: Uses, job: int) -> str:
    """Return what a job used of the code, as numbers, and how to see all."""
    if uses.whole is not None:
        return f"all of code counts: {uses.whole}"
    if uses.stated:
        return f"what was stated with --uses: {', '.join(uses.stated)}"
    listed_too = f", and what {counted(len(uses.folders), 'folder')} had" if uses.folders else ""
    return f"{counted(len(uses.files), 'file')} of code{listed_too}: wtwatch show --uses {job}"


def uses_lines(job: int, uses: Uses) -> Iterator[str]:
    """Yield all that a job used of the code, a path a line; a folder has a slash at its end."""
    if uses.whole is not None:
        yield f"Job {job}: all of code counts: {uses.whole}"
        return
    if uses.stated:
        yield f"Job {job}: nobody looked, this was stated with --uses:"
    yield from (harmless(path) for path in (*uses.stated, *uses.files))
    yield from (f"{harmless(path)}/" for path in uses.folders)


def put_back_words(known: PutBack) -> str:
    """Return that a job had to wait once more, when last, and why."""
    often = "" if known.times == 1 else f"{known.times} times, last "
    return f"{often}{_moment(known.at)}: {harmless(known.why)}"


def _end(sight: Sight, at: datetime, columns: int | None) -> Iterator[str]:
    for label, text in _what_is_left(sight, at):
        yield from fact(label, text, columns)
    if sight.words:
        yield from fact("printed", "… and at last:", columns)
        for words in sight.words:
            yield from folded(f"    {harmless(words.expandtabs())}", columns, indent="    ")


def _what_is_left(sight: Sight, at: datetime) -> Iterator[tuple[str, str]]:
    state = sight.job.state
    if isinstance(state, Ended):
        yield from listed("result", [commit_words(commit, sight.subjects) for commit in state.commits])
        parts = (state.detail or "").split("; ")
        yield from (("because", part) for part in parts if part and not part.startswith(_LEFT))
    if sight.left:
        yield "left", str(sight.left)
    if sight.log:
        yield "log", str(sight.log)
    for one in sight.earlier:
        yield "before", _attempt(one, sight.subjects, at)


def _attempt(job: Job, subjects: dict[str, str], at: datetime) -> str:
    state, took = job.state, seconds(job, at)
    said = f"attempt {job.attempt} in batch {job.batch}: {outcome(job)}"
    if took is not None:
        said += f" after {spent(took)}"
    if isinstance(state, Ended):
        said += f", {local(state.ended, at)}"
        said += f", on {commit_words(state.code_sha, subjects)}" if state.code_sha else ""
    return said


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _subjects(project: Project, job: Job, earlier: Sequence[Job]) -> dict[str, str]:
    """Return the subjects of the code commits and results of all attempts, by two gits."""
    states = [one.state for one in (job, *earlier)]
    codes = [state.code_sha for state in states if isinstance(state, Running | Ended) and state.code_sha]
    batch = Queue(project.state).batch_code(job.batch)
    results = [commit for state in states if isinstance(state, Ended) for commit in state.commits]
    known = Repo(project.main_code).subjects([*codes, *([batch] if batch else [])])
    return known | Repo(project.main_tree).subjects(results)
