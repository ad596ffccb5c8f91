"""What `queue wait` says, from a look at the queue alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.screens import assert_screen
from wtwatch.queue.progress import Progress
from wtwatch.views import waiting
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now

AT, A = now(), Sha("a" * 40)
SPEC = JobSpec("python plot.py", "Plot 240227J, psilocybin 3 mg/kg")


def running(seconds: float) -> Job:
    return Job(14, 3, 1, SPEC, AT, Running(AT - timedelta(seconds=seconds), A, A, "uuid"))


def progress(ended: int, bad: int, left: int, job: Job | None, mean: float | None) -> Progress:
    words = ["succeeded"] * ended + ["failed"] * bad + ["waiting"] * left
    unseen = range(ended, ended + bad)
    return Progress(dict(enumerate(words)), frozenset(unseen), job, left, False, False, mean)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_live_line_fits_and_says_the_job_how_far_and_how_long(columns: int) -> None:
    beside = tuple(running(took)._replace(id=job) for job, took in ((15, 40.0), (17, 312.0)))
    lines = [
        waiting.ahead(progress(0, 0, 12, running(3.4), None), AT, columns),
        waiting.ahead(progress(9, 2, 1, running(312), 250.0), AT, columns),
        waiting.ahead(progress(2, 0, 10, running(42), 250.0), AT, columns),
        waiting.ahead(progress(2, 0, 10, None, 250.0), AT, columns),
        waiting.ahead(progress(2, 1, 9, running(42), 250.0)._replace(beside=beside), AT, columns),
    ]
    assert_screen(f"wait-live.{columns}", "\n".join(lines) + "\n")


def test_the_live_line_of_a_paused_queue_has_no_forecast() -> None:
    goes_on = progress(9, 0, 3, running(30), 250.0)
    assert "left" in waiting.ahead(goes_on, AT, 120)
    assert "left" not in waiting.ahead(goes_on._replace(paused=True), AT, 120)


def ended(number: int, outcome: Outcome, code: int | None, seconds: float | None) -> Job:
    started = None if seconds is None else AT - timedelta(seconds=seconds)
    return Job(number, 3, 1, SPEC, AT, Ended(started, AT, A, outcome, code))


def test_each_job_is_a_line_and_the_end_names_the_way_on() -> None:
    lines = [
        waiting.ended(ended(3, Outcome.SUCCEEDED, 0, 3.2)),
        waiting.ended(ended(4, Outcome.UNCHANGED, 0, 75)),
        waiting.ended(ended(5, Outcome.FAILED, 1, 8.0)),
        waiting.ended(ended(6, Outcome.INTERRUPTED, None, 4000)),
        waiting.ended(ended(7, Outcome.CANCELLED, None, None)),
        waiting.summary(progress(10, 0, 0, None, 3.0), 33.0),
        waiting.summary(progress(10, 2, 0, None, 3.0), 333.0),
        waiting.summary(progress(10, 12, 0, None, 3.0), 3333.0),
        waiting.summary(progress(10, 2, 0, None, 3.0)._replace(before=frozenset({10})), 33.0),
    ]
    assert_screen("wait-lines", "\n".join(lines) + "\n")
