"""The screen of `status`, from a snapshot alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.views.test_as_json import AT, BARE, FULL, A
from wtwatch.tree.environment import Verdict
from wtwatch.views import text
from wtwatch.views.as_json import document
from wtwatch.views.snapshot import (
    DaemonSnapshot,
    Elsewhere,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    RunningJob,
    Snapshot,
    Standpoint,
)
from wtwatch.words.model import EnvironmentState, Freshness, Outlived, SyncDone

LATER = AT + timedelta(minutes=4)
DOWN = DaemonSnapshot(False)


def lines(project: ProjectSnapshot, daemon: DaemonSnapshot = DOWN) -> dict[str, list[str]]:
    """Return what the screen says, by the label of the line; what goes on below a label has the empty one."""
    found: dict[str, list[str]] = {}
    for line in text.screen(Snapshot(daemon, (project,)), [], LATER, 120):
        if line:
            found.setdefault(line[2:14].strip(), []).append(line[15:])
    return found


def test_a_project_at_peace_fits_into_a_few_lines() -> None:
    told = lines(BARE._replace(tip=A, subject="one", applied=A, recorded=A))
    assert told["bookmark"] == ["runs → aaaaaaaaaa one"]
    assert told["run tree"] == ["✓ fresh"] and told[""] == ["/r"]
    assert (told["environment"], told["pointer"]) == (["none to look after"], ["✓ saved"])
    assert (told["queue"], told["results"]) == (["empty"], ["✓ all in the main tree"])
    assert told["daemon"][0].startswith("! not running")
    assert not {"busy", "backups", "settings"} & set(told)


def test_all_that_stands_against_a_move_is_said_with_the_way_out() -> None:
    told = lines(FULL)
    assert told["run tree"] == ["! blocked, at aaaaaaaaaa"]
    assert told[""][:4] == ["/r", "why", "→ way out", "its code has edits; they are backed up before a move"]
    assert "busy" not in told, "what a job started is told with the job, what exec started by itself"
    assert told["exec"] == ["cat  (pid 7) for 4 min"]
    assert told["environment"] == ["! broken: no python"]
    assert told["pointer"] == ["✓ saved"]
    assert told["running"] == ["▶ job 5 for 4 min: make"]
    assert told["queue"] == ["1 waiting · 1 running · 4 failed"], "of what still matters"
    assert told[""][4:] == [
        "batch 2 on aaaaaaaaaa: 5 of 12 · 1 failed · began 4 min ago",
        "paused: nothing starts until `wtwatch queue resume`",
        "next: batch 3, 12 jobs",
        "after the next move: batch 4, 1 job",
        "at every move: 1 standing job · those of 1 result that it touches",
        "no such file",
        "✗ job 3, interrupted: x",
        "and 2 more: wtwatch queue list",
        "→ wtwatch queue logs 4 · wtwatch queue retry --failed",
        "both changed out/f",
        "→ take one",
    ], "while a batch runs the bookmark need not be still"
    assert told["failed"] == ["✗ job 4, exit 2: Plot LSD"]
    assert told["results"] == ["1 commit to bring home: wtwatch merge; they conflict"]
    assert told["from main"] == [
        "3 files and the subdatasets lib, in/s changed there; wtwatch sync --from-main"
    ]
    assert told["backups"] == ["2, 1 of them not seen yet: wtwatch backups list"]
    assert "newer wtwatch" in told["settings"][0]


def test_lanes_that_are_made_just_now_are_counted() -> None:
    assert lines(BARE._replace(lanes=3, making=(2, 3)))["lanes"] == ["… 2 lanes of 3 being made or set up"]


def test_what_jobs_make_no_more_is_named_with_the_ways_out() -> None:
    told = lines(BARE._replace(outlived=(Outlived(4, ("out/b", "out/c"), 3), Outlived(5, ("out/d",), 1))))
    assert told["outputs"] == ["! out/b and 2 more are not made any more by job 4"]
    assert told[""][1:] == [
        "! out/d is not made any more by job 5",
        "→ wtwatch queue show 4 · wtwatch config prune_outputs true, and again",
    ]


@pytest.mark.parametrize(
    ("changes", "label", "said"),
    [
        ({"missing": "conflicted"}, "bookmark", "runs → conflicted"),
        ({}, "bookmark", "runs → gone"),
        ({}, "pointer", "! the superdataset names no code commit"),
        ({"recorded": A}, "pointer", "… the superdataset names aaaaaaaaaa"),
        (
            {"applied": A, "standpoint": Standpoint(Freshness.BEHIND)},
            "run tree",
            "… behind, at aaaaaaaaaa",
        ),
        (
            {"last_sync": SyncDone(AT, A, A, 0.25, None)},
            "run tree",
            "✓ fresh, moved 4 min ago in 0.25 s",
        ),
        ({"environment": Verdict(EnvironmentState.OK)}, "environment", "✓ ok"),
        (
            {"elsewhere": Elsewhere("login1", AT, AT)},
            "owner",
            "login1 acts on it for 4 min, seen 4 min ago",
        ),
        ({"results": Results(2)}, "results", "2 commits to bring home: wtwatch merge"),
    ],
)
def test_each_fact_has_its_words(changes: dict[str, Any], label: str, said: str) -> None:
    assert lines(BARE._replace(**changes))[label] == [said]


@pytest.mark.parametrize("paused", [False, True])
def test_a_paused_queue_has_no_forecast(paused: bool) -> None:
    project = FULL._replace(queue=FULL.queue._replace(paused=paused))
    assert any("about 70 s left" in line for line in lines(project)[""]) != paused
    (told,) = document(Snapshot(DOWN, (project,)), LATER)["projects"]
    assert told["batch"]["seconds_left"] == (None if paused else 70)


def test_a_daemon_that_stands_still_is_not_called_running() -> None:
    well = DaemonSnapshot(True, False, 41, AT, "inotify", 5)
    assert lines(BARE, well)["daemon"] == ["✓ running, pid 41, up 4 min, 5 watches (inotify)"]
    assert lines(BARE, well._replace(silent=300.0))["daemon"] == [
        "! stands still, pid 41, for 5 min: kill -CONT 41"
    ]


def test_a_prompt_gets_a_word_or_two() -> None:
    assert text.short_words(BARE) == "p ✓"
    assert text.short_words(FULL) == "p ! ⏸ ▶5/12 ⏳1 ✗4 ↑1"
    beside = tuple(RunningJob(job, 2, "make", None, AT, A, 8, lane=job) for job in (1, 2, 3))
    assert text.short_words(FULL._replace(beside=beside)) == "p ! ⏸ ▶7/12×3 ⏳1 ✗4 ↑1"
    held = QueueSnapshot(False, {"waiting": 2, "running": 0})
    assert text.short_words(BARE._replace(queue=held)) == "p ✓ ⏳2"


def test_a_host_that_gives_no_sign_of_life_is_told_with_the_way_out() -> None:
    told = lines(BARE._replace(elsewhere=Elsewhere(None, None, AT, gone=True)))
    assert told["owner"] == ["a host that cannot be told acts on it, no sign of life for 4 min"]
    assert told[""][1] == "→ wtwatch sync p, to go on from here"
