"""Tell the user by a command of theirs: of what needs them, once a cause, and of a batch that is over.

The commands are settings of the project, which lie in its git directory: never in a tracked file. They run
beside the ticks, in a process group of their own, with facts in variables, and not for ever.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from wtwatch.project.config import Project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.views.jobwords import caption, is_bad, outcome
from wtwatch.views.terminal import harmless
from wtwatch.words.model import Ended, Job

LIMIT = 60.0
"""Seconds after which a command that still runs is ended."""

_log = logging.getLogger("wtwatch")


class Announcement(NamedTuple):
    """A command of the user's, and the variables that say what it is about."""

    command: str
    facts: Mapping[str, str]


def of_tick(project: Project, done: Done) -> Iterator[Announcement]:
    """Yield what is to be told of a tick, and note what keeps the project, so that it is told once."""
    queue = Queue(project.state)
    if project.on_attention:
        for reason, hint, job in _causes(queue, done):
            number = {"WTWATCH_JOB": str(job.id), "WTWATCH_BATCH": str(job.batch)} if job else {}
            facts = _facts(project) | {"WTWATCH_REASON": reason, "WTWATCH_HINT": hint or ""} | number
            yield Announcement(project.on_attention, facts)
    if project.on_batch_end and done.ended and isinstance(done.ended.state, Ended):
        jobs = queue.jobs(done.ended.batch)
        if jobs and all(isinstance(job.state, Ended) for job in jobs):
            bad = sum(map(is_bad, jobs))
            facts = {
                "WTWATCH_BATCH": str(done.ended.batch),
                "WTWATCH_SUCCEEDED": str(sum(job.word in ("succeeded", "unchanged") for job in jobs)),
                "WTWATCH_FAILED": str(bad),
            }
            yield Announcement(project.on_batch_end, _facts(project) | facts)


def _causes(queue: Queue, done: Done) -> Iterator[tuple[str, str | None, Job | None]]:
    if done.ended and is_bad(done.ended):
        job = done.ended
        yield f"Job {job.id} ({caption(job.spec)}) {outcome(job)}.", f"wtwatch queue logs {job.id}", job
    if done.backup:
        yield f"Kept in a backup: {done.backup.summary}.", f"wtwatch backups show {done.backup.id}", None
    waits = None if done.busy else done.waits
    if waits is not None and waits != queue.announced():
        yield waits, done.hint, None
    if not done.busy and waits != queue.announced():
        queue.note_announced(waits)


def _facts(project: Project) -> dict[str, str]:
    return {"WTWATCH_PROJECT": project.name, "WTWATCH_MAIN_TREE": str(project.main_tree)}


def run(project: Project, told: Announcement) -> threading.Thread:
    """Start a command, and return the thread that waits for its end; what it prints goes into the log."""
    thread = threading.Thread(target=_attend, args=(project, told), name="announce", daemon=True)
    thread.start()
    return thread


def _attend(project: Project, told: Announcement) -> None:
    with tempfile.TemporaryFile() as said:  # no pipe: what the command leaves running may hold it for long
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", told.command],
                cwd="/",
                env=os.environ | dict(told.facts),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            _log.warning("%s: %r cannot be run: %s", project.name, told.command, error.strerror)
            return
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _log.warning("%s: %r took over %.0f s and was ended", project.name, told.command, LIMIT)
            return
        if code:
            said.seek(0)
            words = " ".join(os.fsdecode(said.read(4096)).split()) or "it printed nothing"
            _log.warning("%s: %r ended with %d: %s", project.name, told.command, code, harmless(words[:500]))
