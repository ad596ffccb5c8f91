"""How a job is said in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wtwatch.views.jobwords import caption, exit_words, local, one_line, outcome, ranged
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Sha, now


def job(**ended: Any) -> Job:
    facts: dict[str, Any] = {
        "started": now(),
        "ended": now(),
        "code_sha": Sha("a" * 40),
        "outcome": Outcome.FAILED,
    }
    return Job(1, 1, 1, JobSpec("x"), now(), Ended(**{**facts, **ended}))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (JobSpec("exit 1"), "exit 1"),
        (JobSpec("exit 1", "Plot A"), "Plot A"),
        (JobSpec("exit 1", "m", values=(("n", "1"),)), "m (n=1)"),
        (JobSpec("exit 1", "Plot A", values=(("s", "A"), ("d", "LSD"))), "Plot A (d=LSD)"),
        (JobSpec("exit 1", values=(("n", "1"),)), "exit 1"),
        (JobSpec("for i in 1;\n do x\ndone"), "for i in 1; do x done"),
    ],
)
def test_what_a_job_does_is_its_message_with_the_values_that_it_lacks(spec: JobSpec, said: str) -> None:
    assert caption(spec) == said


def test_no_text_of_somebody_commands_the_terminal() -> None:
    assert one_line("a\x1b[2J\tb\u202ec\udcff") == r"a\x1b[2J b\u202ec\udcff"


def test_many_jobs_are_named_as_a_command_line_takes_them() -> None:
    assert ranged([7, 3, 1, 2, 9, 8]) == "1-3 7-9"
    assert (ranged([4]), ranged([4, 5]), ranged([])) == ("4", "4-5", "")


def test_an_outcome_says_with_which_exit_code_it_failed() -> None:
    assert outcome(job(exit=7)) == "failed (exit 7)"
    assert outcome(job(exit=0)) == outcome(job()) == "failed"
    assert outcome(job(outcome=Outcome.SUCCEEDED, exit=0)) == "succeeded"


def test_times_are_those_of_this_place_and_no_longer_than_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 25, 14, 5, tzinfo=UTC).astimezone()
    assert local(at, at) == f"{at:%H:%M}"
    assert local(at - timedelta(days=1), at) == f"24 Nov {at:%H:%M}"
    assert local(at - timedelta(days=400), at) == f"2025-10-21 {at:%H:%M}"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "exit 0"),
        (3, "exit 3"),
        (137, "exit 137"),
        (-9, "killed by SIGKILL"),
        (-300, "killed by signal 300"),
    ],
)
def test_how_a_command_ended_is_said_with_the_name_of_a_signal(code: int, said: str) -> None:
    assert exit_words(code) == said
