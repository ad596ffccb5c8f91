"""What a job prints while others print too: by whole lines, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from wtwatch.project.config import Project
from wtwatch.views import logtext
from wtwatch.views.jobdocument import log_of
from wtwatch.words.model import Ended, Job

_LONGEST = 1 << 20
"""Bytes of the longest line that is waited for: what has no end by then is shown as one."""


class Tail:
    """What a job printed up to where it was shown, from its last ``lines`` on (``None``: from its first).

    A line that is not whole yet waits. Of one that was written over, as progress bars do it, the last counts.
    """

    def __init__(self, project: Project, job: Job, lines: int | None) -> None:
        self._project, self._attempt = project, job.attempt
        self._rest, self._is_over = b"", False
        log, self._end = log_of(project, job), inf
        if lines is not None and isinstance(job.state, Ended):  # before what DataLad said of its end
            self._end = logtext.end_of_words(log)
        end = None if self._end == inf else int(self._end)
        self._at = 0 if lines is None else logtext.start_of_last(log, lines, end)

    def lines(self, job: Job) -> Iterator[bytes]:
        """Yield the lines that are new, without their ends; once it is over, also one that has no end."""
        if job.attempt != self._attempt:
            self._attempt, self._at, self._end, self._is_over = job.attempt, 0, inf, False
        for block in logtext.copied(log_of(self._project, job), self._at, self._end):
            self._at += len(block)
            *whole, rest = (self._rest + block).split(b"\n")
            yield from map(_last_written, whole)
            self._rest = _last_written(rest) + b"\r" * rest.endswith(b"\r")
            if len(self._rest) > _LONGEST:
                yield self._rest
                self._rest = b""
        if isinstance(job.state, Ended) and self._rest:
            yield _last_written(self._rest)
            self._rest = b""

    def is_over_now(self, job: Job) -> bool:
        """Return whether a job has ended, the first time that this is asked after its end."""
        was_over, self._is_over = self._is_over, isinstance(job.state, Ended)
        return self._is_over and not was_over


def _last_written(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]
