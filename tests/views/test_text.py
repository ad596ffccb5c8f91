"""The screen of `status`, from a snapshot alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.views.test_as_json import AT, BARE, FULL, A
from wtwatch.tree.environment import Verdict
from wtwatch.views import text
from wtwatch.views.snapshot import (
    DaemonSnapshot,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    Snapshot,
    Standpoint,
)
from wtwatch.words.model import EnvironmentState, Freshness, SyncDone

LATER = AT + timedelta(minutes=4)
DOWN = DaemonSnapshot(False)


def lines(project: ProjectSnapshot, daemon: DaemonSnapshot = DOWN) -> dict[str, list[str]]:
    """Return what the screen says, by the label of the line; what goes on below a label has the empty one."""
    found: dict[str, list[str]] = {}
    for line in text.screen(Snapshot(daemon, (project,)), [], LATER):
        found.setdefault(line[2:14].strip(), []).append(line[15:])
    return found


def test_a_project_at_peace_fits_into_a_few_lines() -> None:
    told = lines(BARE._replace(tip=A, subject="one", applied=A, recorded=A))
    assert told["bookmark"] == ["runs → aaaaaaaaaa one"]
    assert told["run tree"] == ["✓ fresh  /r"]
    assert (told["environment"], told["pointer"]) == (["none to look after"], ["✓ saved"])
    assert (told["queue"], told["results"]) == (["empty"], ["✓ all in the main tree"])
    assert told["daemon"][0].startswith("! not running")
    assert not {"busy", "backups", "settings"} & set(told)


def test_all_that_stands_against_a_move_is_said_with_the_way_out() -> None:
    told = lines(FULL)
    assert told["run tree"] == ["! blocked  /r"]
    assert told[""][:3] == ["why", "→ way out", "its code has edits; they are backed up before a move"]
    assert told["busy"] == ["cat (pid 7) for 4 min"], "what a job started is told with the job"
    assert told["environment"] == ["! broken: no python"]
    assert told["pointer"] == ["✓ saved"]
    assert told["queue"] == ["paused · 1 waiting · 1 running · 2 standing (at every move)"]
    assert told[""][3:5] == [
        "▶ job 5 for 4 min, on aaaaaaaaaa: make",
        "batches start when the bookmark has been still for 4 s more",
    ]
    assert told["results"] == ["1 commit to bring home  (wtwatch merge); they conflict"]
    assert told["backups"] == ["2, 1 new  (wtwatch backups list)"]
    assert "newer wtwatch" in told["settings"][0]


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
            "… behind, at aaaaaaaaaa  /r",
        ),
        (
            {"last_sync": SyncDone(AT, A, A, 0.25, None)},
            "run tree",
            "✓ fresh, moved 4 min ago in 0.25 s  /r",
        ),
        ({"environment": Verdict(EnvironmentState.OK)}, "environment", "✓ ok"),
        ({"results": Results(2)}, "results", "2 commits to bring home  (wtwatch merge)"),
    ],
)
def test_each_fact_has_its_words(changes: dict[str, Any], label: str, said: str) -> None:
    assert lines(BARE._replace(**changes))[label] == [said]


def test_a_daemon_that_stands_still_is_not_called_running() -> None:
    well = DaemonSnapshot(True, False, 41, AT, "inotify", 5)
    assert lines(BARE, well)["daemon"] == ["✓ running, pid 41, up 4 min, 5 watches (inotify)"]
    assert lines(BARE, well._replace(silent=300.0))["daemon"] == ["! stands still, pid 41, for 5 min"]


def test_a_prompt_gets_a_word_or_two() -> None:
    assert text.short_words(BARE) == "p ✓"
    assert text.short_words(FULL) == "p ! ▶1 ⏳1 ✗3 ↑1"
    held = QueueSnapshot(False, {"waiting": 2, "running": 0})
    assert text.short_words(BARE._replace(queue=held)) == "p ✓ ⏳2"
