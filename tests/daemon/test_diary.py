"""The daemon's log: what a tick did, to be read a week later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wtwatch.daemon.diary import LAPSE, Causes, lines
from wtwatch.reconcile import Done
from wtwatch.words.model import Backup, Ended, Job, JobSpec, Outcome, Running, Sha, SyncDone, spent

AT = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
A, B = Sha("a" * 40), Sha("b" * 40)


def test_a_tick_that_did_nothing_says_nothing() -> None:
    assert list(lines(Done(waits="somebody works there"))) == []


def test_a_cause_that_comes_and_goes_is_told_once_until_something_went_on_or_it_stayed_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, causes = 0.0, Causes()
    monkeypatch.setattr("wtwatch.daemon.diary.time.monotonic", lambda: at)
    busy, left = "git (pid {}) works in the run tree.", "Job 3 left x unsaved."
    assert [causes.is_news(busy.format(pid)) for pid in (7, 8, 9)] == [True, False, False]
    other = "Job 4 left x unsaved."
    assert [causes.is_news(one) for one in (left, busy.format(3), left, other)] == [True, False, False, True]
    at = LAPSE - 1
    assert not causes.is_news(left)
    at += LAPSE - 1
    assert not causes.is_news(left) and causes.is_news(busy.format(1)), "which stayed away for long enough"
    causes.forget()
    assert causes.is_news(left)


def test_a_job_is_named_by_its_message_and_its_batch() -> None:
    job = Job(3, 2, 1, JobSpec("plot {inputs}", "Plot A\x1b[31m"), AT, Running(AT, A, B, "u"))
    assert list(lines(Done(started=job))) == ["job 3 of batch 2, Plot A\\x1b[31m, started"]
    end = AT + timedelta(seconds=75)
    over = job._replace(state=Ended(AT, end, A, Outcome.FAILED, 3, (), "code was written to"))
    (line,) = lines(Done(ended=over))
    assert line.startswith("job 3 of batch 2, Plot A\\x1b[31m, failed")
    assert f"(exit 3) after {spent(75)}" in line and line.endswith(": code was written to")


def test_all_is_told_in_the_order_of_what_was_done() -> None:
    job = Job(4, 3, 1, JobSpec("x"), AT, Running(AT, B, A, "u"))
    over = Job(3, 2, 1, JobSpec("y"), AT, Ended(AT, AT, A, Outcome.SUCCEEDED, 0))
    backup = Backup("20261125T063000Z-ab", A, AT, "2 files")
    done = Done(SyncDone(AT, A, B, 0.0714, None), backup, None, over, job, (3,), gave_way=(1, 2))
    assert [line.split(",")[0].split(" in ")[0] for line in lines(done)] == [
        "job 3 of batch 2",
        "batch 1 gives way to newer code; what it has left goes on as batch 2",
        "kept 2 files",
        "code moved from aaaaaaaaaa to bbbbbbbbbb",
        "the move starts batch 3",
        "job 4 of batch 3",
    ]


def test_each_job_in_a_lane_has_its_line_the_ends_before_the_starts() -> None:
    job = Job(4, 3, 1, JobSpec("x"), AT, Running(AT, B, A, "u", lane=2))
    over = Job(3, 3, 1, JobSpec("y"), AT, Ended(AT, AT, A, Outcome.SUCCEEDED, 0, lane=1))
    assert list(lines(Done(beside=(job, over), put_back=((job, "a/b changed"),)))) == [
        f"job 3 of batch 3, y, succeeded after {spent(0)}",
        "job 4 of batch 3, x, waits once more: a/b changed",
        "job 4 of batch 3, x, started in lane 2",
    ]
