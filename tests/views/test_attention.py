"""Why somebody has to look: decided from a snapshot, without a repository."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wtwatch.tree.environment import Verdict
from wtwatch.views import attention
from wtwatch.views.snapshot import (
    BrokenProject,
    DaemonSnapshot,
    Elsewhere,
    Holder,
    ProjectSnapshot,
    QueueSnapshot,
    Snapshot,
    Standpoint,
)
from wtwatch.words.model import EnvironmentState, Freshness

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
RUNNING = DaemonSnapshot(True, pid=41)
QUIET = QueueSnapshot(False, {"waiting": 0})
CAT = Holder(7, "cat", AT - timedelta(minutes=10))


def project(freshness: Freshness = Freshness.FRESH, **facts: Any) -> ProjectSnapshot:
    queue = facts.pop("queue", QUIET)
    standpoint, environment = Standpoint(freshness), Verdict(EnvironmentState.NONE)
    return ProjectSnapshot("p", Path("/m"), Path("/r"), "runs", standpoint, environment, queue, **facts)


def reasons(one: ProjectSnapshot, daemon: DaemonSnapshot = RUNNING) -> list[str]:
    return attention.reasons(Snapshot(daemon, (one,)), AT)


def test_where_all_is_well_nobody_has_to_look() -> None:
    assert reasons(project()) == []
    assert reasons(project(Freshness.BEHIND)) == []
    assert reasons(project(), DaemonSnapshot(False)) == [], "nothing waits, and nobody asked for a service"


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (project(Freshness.BLOCKED), "p is blocked."),
        (project(Freshness.MISSING), "p is missing."),
        (project(unknown=("f, line 3: there is no setting 'x'.",)), "there is no setting 'x'. It is passed"),
        (project(queue=QUIET._replace(unseen=2)), "p: 2 failed jobs (seen?"),
        (project(queue=QUIET._replace(lost=AT - timedelta(hours=3))), "was gone 3 h ago"),
        (project(backups_unseen=1), "p: 1 new backup"),
    ],
)
def test_what_needs_the_user_is_said_in_one_sentence(one: ProjectSnapshot, said: str) -> None:
    [reason] = reasons(one)
    assert said in reason


@pytest.mark.parametrize(("alarm", "told"), [(3600.0, False), (60.0, True)])
def test_who_holds_the_run_tree_for_longer_than_busy_alarm_asks_for_attention(
    alarm: float, told: bool
) -> None:
    said = reasons(project(Freshness.BEHIND, busy=(CAT,), busy_alarm=alarm))
    assert said == (["p: cat (pid 7) has held the run tree for 10 min."] if told else [])
    assert reasons(project(busy=(CAT,), busy_alarm=alarm)) == [], "it keeps nothing waiting"


def test_jobs_that_wait_for_a_daemon_that_is_down_are_told() -> None:
    waiting = project(queue=QUIET._replace(jobs={"waiting": 1}))
    assert reasons(waiting) == []
    assert reasons(waiting, DaemonSnapshot(False)) == ["p: 1 waiting job, but no daemon runs."]
    for gone in (False, True):
        there = waiting._replace(elsewhere=Elsewhere("login1", AT, AT, gone))
        assert bool(reasons(there, DaemonSnapshot(False))) is gone, "there they are started"
    [said] = reasons(project(), DaemonSnapshot(False, installed=True))
    assert "the daemon is down" in said


@pytest.mark.parametrize(("silent", "told"), [(None, False), (11.0, False), (300.0, True)])
def test_a_daemon_that_was_stopped_does_not_count_as_running_well(silent: float | None, told: bool) -> None:
    said = reasons(project(), RUNNING._replace(silent=silent))
    assert bool(said) is told
    if told:
        assert "no sign of life for 5 min" in said[0] and "kill -CONT 41" in said[0]


def test_a_project_that_cannot_be_described_is_told_with_its_way_out() -> None:
    broken = (BrokenProject("q", "it is gone", "wtwatch forget q"), BrokenProject("r", "odd", None))
    told = attention.reasons(Snapshot(RUNNING, (), broken), AT)
    assert told == ["q: it is gone → wtwatch forget q", "r: odd"]


def test_a_full_disk_is_told_with_the_way_out() -> None:
    [said] = reasons(project(full=Path("/r")))
    assert "The disk of /r is full" in said and "df -h /r" in said
