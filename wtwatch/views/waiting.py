"""What `queue wait` says: a line for each job that ended, how far all are, and what it came to."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime

from wtwatch.queue.progress import Progress
from wtwatch.views.holdup import HoldUp
from wtwatch.views.jobwords import BAD, COLOURS, MARKS, caption, is_bad, outcome, ranged, seconds
from wtwatch.views.terminal import harmless, plain, say, styled, warn, width
from wtwatch.words.model import Job, counted, lasting, spent

_MOST = 24
"""Columns of the longest list of jobs that is worth pasting."""

_BAD = tuple(outcome.value for outcome in BAD)


def ended(job: Job) -> str:
    """Return the line of a job that ended."""
    took = seconds(job)
    words = outcome(job) + (f" {'after' if is_bad(job) else 'in'} {spent(took)}" if took is not None else "")
    way = f"  (wtwatch queue logs {job.id})" if is_bad(job) and took is not None else ""
    return f"{MARKS.get(job.word, '?')} {job.id} {words}: {caption(job.spec)}{way}"


def ahead(progress: Progress, at: datetime, columns: int) -> str:
    """Return how far the jobs are, in one line of at most so many columns: n of m, the job, time left."""
    left, number = progress.left(), len(progress.states)
    bad = sum(word in _BAD for word in progress.states.values())
    running = [job for job in (progress.running, *progress.beside) if job is not None]
    took = [seconds(job, at) or 0.0 for job in running]
    parts = [f"{number - len(left)} of {number} done"]
    parts += [f"{bad} failed"] if bad else []
    if progress.mean is not None and left and not progress.paused:
        rest = progress.mean * len(left) - sum(min(one, progress.mean) for one in took)
        rest /= len(running) or 1
        parts += [f"about {lasting(rest)} left"] if rest >= 1 else []
    while len(line := " · ".join(parts)) > columns and len(parts) > 1:
        parts.pop()
    if not running:
        return line
    tail = f" · {line}"
    if len(running) > 1:
        numbers = ranged(job.id for job in running).replace(" ", ", ")
        head = f"▶ {len(running)} jobs ({numbers}), for {spent(max(took))} at most"
        heads = (head, f"▶ {numbers}", f"▶ {len(running)} jobs")
        return next((one + tail for one in heads if len(one + tail) <= columns), line)
    head = f"▶ {running[0].id} for {spent(took[0])}: "
    room = columns - len(head) - len(tail)
    what = caption(running[0].spec)
    if room < 8:
        return line
    return head + (what if len(what) <= room else what[: room - 1] + "…") + tail


def summary(progress: Progress, took: float) -> str:
    """Return in one or two lines what the jobs came to."""
    counts = Counter(progress.states.values())
    known = [word for word in MARKS if counts[word]]
    parts = [f"{counts[word]} {word}" for word in [*known, *sorted(counts.keys() - MARKS.keys())]]
    told = f"{counted(len(progress.states), 'job')}: {', '.join(parts)}, after {spent(took)} of waiting."
    if progress.before:
        over = ranged(progress.before)
        over = over if len(over) <= _MOST else counted(len(progress.before), "job")
        told += f"\nFailed before the wait began, so not counted: {over}."
    if not progress.unseen:
        return told
    names = ranged(progress.unseen)
    names = names if len(names) <= _MOST else "--failed"
    return f"{told}\nwtwatch queue logs {names}  ·  wtwatch queue retry {names}"


class Screen:
    """Where `queue wait` writes: on a terminal with a line that is drawn anew, plain lines elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stdout is not None and sys.stdout.isatty() and not plain()
        self._shown = ""
        self._told: set[HoldUp] = set()

    def tell(self, job: Job) -> None:
        """Say that a job ended; on a terminal only that it failed, as the line says how far all are."""
        if self.live and not is_bad(job):
            return
        self._clear()
        say(styled(ended(job), COLOURS.get(job.word) if is_bad(job) else None))

    def explain(self, held: HoldUp) -> None:
        """Say what holds the jobs up, once for each cause."""
        if held not in self._told:
            self._told.add(held)
            self._clear()
            warn("\n  ".join([f"Waiting: {held.reason}", *(held.hint or "").splitlines()]))

    def draw(self, progress: Progress, at: datetime) -> None:
        """Say how far all are, on a terminal."""
        if not self.live:
            return
        line = ahead(progress, at, (width() or 80) - 1)
        if line != self._shown:
            self._write(f"\r\x1b[K{harmless(line)}")  # ECMA-48: erase to the end of the line
            self._shown = line

    def close(self) -> None:
        """Leave the screen as if there had been no line that is drawn anew."""
        self._clear()

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = ""

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
