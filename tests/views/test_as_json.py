"""The document of ``status --json``: its keys and types are a promise to programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wtwatch.doors.clock import Instant
from wtwatch.queue.prospects import BatchProgress, Upcoming
from wtwatch.stale.tally import Behind, Reason, Tally
from wtwatch.tree.environment import Verdict
from wtwatch.views.as_json import document
from wtwatch.views.snapshot import (
    BrokenProject,
    DaemonSnapshot,
    Elsewhere,
    FailedJob,
    HeldLane,
    Holder,
    LoadedFile,
    ProjectSnapshot,
    QueueSnapshot,
    Results,
    RunningJob,
    Snapshot,
    Standpoint,
)
from wtwatch.words.model import EnvironmentState, Freshness, Outlived, Sha, SyncDone

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
A, B = Sha("a" * 40), Sha("b" * 40)

EMPTY = QueueSnapshot(False, {"waiting": 0, "running": 0, "held": 0})
BARE = ProjectSnapshot(
    "p", Path("/m"), Path("/r"), "runs", Standpoint(Freshness.FRESH), Verdict(EnvironmentState.NONE), EMPTY
)
FULL = ProjectSnapshot(
    name="p",
    path=Path("/m"),
    run_tree=Path("/r"),
    bookmark="runs",
    standpoint=Standpoint(Freshness.BLOCKED, "why", "way out"),
    environment=Verdict(EnvironmentState.BROKEN, "no python"),
    queue=QueueSnapshot(
        paused=True,
        jobs={"waiting": 1, "running": 1, "failed": 14, "held": 0},
        standing=2,
        touched=1,
        unseen=4,
        lost=AT,
        settling=4.5,
        current={"waiting": 1, "running": 1, "failed": 4},
        due=(Upcoming(3, 12),),
        on_move=(Upcoming(4, 1),),
    ),
    tip=B,
    subject="s",
    applied=A,
    edited=True,
    full=Path("/r"),
    busy=(Holder(7, "cat", AT, by_hand=True), Holder(8, "sh", AT, 5, "sh -c make")),
    recorded=A,
    running=RunningJob(5, 2, "make", None, AT, A, 8),
    batch=BatchProgress(2, 12, 4, 1, A, AT, 40.0, 4),
    failed=(FailedJob(4, 2, "failed", "Plot LSD", 2, "no such file"), FailedJob(3, 1, "interrupted", "x")),
    results=Results(1, 2, True, AT, 3, ("lib", "in/s"), ("both changed out/f", "take one"), away=("out/s1",)),
    backups=2,
    backups_unseen=1,
    stale=Tally(
        12, 6, 1, 2, (Reason("code/u.py", "changed", 6, A, "s"),), (Behind(B, "o", (("d", "came"),)),)
    ),
    last_sync=SyncDone(AT, A, B, 0.12345, "id"),
    host="here",
    busy_alarm=1800.0,
    newer=True,
    unknown=("there is no setting 'x'.",),
)
IN_LANES = FULL._replace(
    beside=(RunningJob(6, 2, "make", "m", AT, A, 9, lane=2, over=True),),
    lanes=2,
    making=(2,),
    held_lanes=(HeldLane(1, "cat works there.", "Wait."),),
    outlived=(Outlived(4, ("out/b.csv",), 2),),
    elsewhere=Elsewhere("login1", None, AT, gone=True),
    loaded=(LoadedFile("code/plots.toml", "plots", AT, True, False, "no jobs of 'x y'"),),
)
STAMP = "2026-11-25T12:00:00.000000Z"


def test_all_that_is_known_is_said_in_the_words_of_version_1() -> None:
    daemon = DaemonSnapshot(
        True, True, 41, AT, "inotify", 5, "0.1.0", Instant("boot", 1.5), 3.0, ("p",), True, "nfs"
    )
    told = document(
        Snapshot(daemon, (IN_LANES,), (BrokenProject("q", "gone", None),)), AT + timedelta(seconds=6)
    )
    assert (
        json.loads(json.dumps(told))
        == told
        == {
            "version": 1,
            "daemon": {
                "running": True,
                "pid": 41,
                "since": STAMP,
                "mode": "inotify",
                "watches": 5,
                "version": "0.1.0",
                "beat": {"boot": "boot", "seconds": 1.5},
                "stuck": ["p"],
                "stopped": True,
                "why": "nfs",
                "restarting": False,
            },
            "projects": [
                {
                    "name": "p",
                    "path": "/m",
                    "run_tree": "/r",
                    "bookmark": "runs",
                    "tip": B,
                    "subject": "s",
                    "applied": A,
                    "freshness": "blocked",
                    "reason": "why",
                    "hint": "way out",
                    "edited": True,
                    "full_disk": "/r",
                    "busy": [
                        {
                            "pid": 7,
                            "name": "cat",
                            "since": STAMP,
                            "job": None,
                            "command": None,
                            "by_hand": True,
                        },
                        {
                            "pid": 8,
                            "name": "sh",
                            "since": STAMP,
                            "job": 5,
                            "command": "sh -c make",
                            "by_hand": False,
                        },
                    ],
                    "pointer": {"recorded": A, "saved": True},
                    "carried": [],
                    "inherited": [],
                    "environment": {"state": "broken", "detail": "no python"},
                    "queue": {
                        "paused": True,
                        "paused_for": None,
                        "waiting": 1,
                        "running": 1,
                        "failed": 14,
                        "held": 0,
                        "standing": 2,
                        "touched": 1,
                        "current": {"waiting": 1, "running": 1, "failed": 4},
                        "due": [{"id": 3, "jobs": 12}],
                        "on_move": [{"id": 4, "jobs": 1}],
                    },
                    "running": {
                        "id": 5,
                        "batch": 2,
                        "command": "make",
                        "message": None,
                        "started_at": STAMP,
                        "code": A,
                        "pid": 8,
                        "lane": None,
                        "over": False,
                        "waits": None,
                    },
                    "beside": [
                        {
                            "id": 6,
                            "batch": 2,
                            "command": "make",
                            "message": "m",
                            "started_at": STAMP,
                            "code": A,
                            "pid": 9,
                            "lane": 2,
                            "over": True,
                            "waits": None,
                        },
                    ],
                    "lanes": {
                        "asked": 2,
                        "making": [2],
                        "held": [{"lane": 1, "reason": "cat works there.", "hint": "Wait."}],
                    },
                    "batch": {
                        "id": 2,
                        "jobs": 12,
                        "ended": 4,
                        "failed": 1,
                        "code": A,
                        "began_at": STAMP,
                        "seconds_left": None,
                    },
                    "failed_jobs": [
                        {
                            "id": 4,
                            "batch": 2,
                            "state": "failed",
                            "message": "Plot LSD",
                            "exit": 2,
                            "last_line": "no such file",
                        },
                        {
                            "id": 3,
                            "batch": 1,
                            "state": "interrupted",
                            "message": "x",
                            "exit": None,
                            "last_line": None,
                        },
                    ],
                    "queue_lost": STAMP,
                    "settling": 4.5,
                    "outlived": [{"job": 4, "paths": ["out/b.csv"], "number": 2}],
                    "loaded": [
                        {
                            "path": "code/plots.toml",
                            "name": "plots",
                            "at": STAMP,
                            "changed": True,
                            "gone": False,
                            "said": "no jobs of 'x y'",
                        }
                    ],
                    "unseen": 4,
                    "results": {
                        "ahead": 1,
                        "behind": 2,
                        "conflict": True,
                        "from_main": 3,
                        "subdatasets_from_main": ["lib", "in/s"],
                        "barred": ["both changed out/f", "take one"],
                        "away": ["out/s1"],
                        "main_elsewhere": None,
                    },
                    "stale": 6,
                    "stale_results": {
                        "results": 12,
                        "stale": 6,
                        "fed": 1,
                        "unknown": 2,
                        "reasons": [
                            {"path": "code/u.py", "how": "changed", "results": 6, "commit": A, "subject": "s"}
                        ],
                        "listed": [{"commit": B, "name": "o", "why": [{"path": "d", "how": "came"}]}],
                    },
                    "backups": 2,
                    "backups_unseen": 1,
                    "last_sync": {"at": STAMP, "from": A, "to": B, "seconds": 0.123, "backup": "id"},
                    "host": "here",
                    "elsewhere": {"host": "login1", "since": None, "renewed": STAMP, "gone": True},
                    "busy_alarm": 1800.0,
                    "settings": {"newer": True, "unknown": ["there is no setting 'x'."]},
                }
            ],
            "broken": [{"name": "q", "reason": "gone", "hint": None}],
        }
    )


def test_what_is_unknown_is_null_and_no_key_is_left_out() -> None:
    told = document(Snapshot(DaemonSnapshot(False), (BARE,)))
    full = document(Snapshot(DaemonSnapshot(True), (FULL,)))
    assert [*told["projects"][0]] == [*full["projects"][0]] and [*told["daemon"]] == [*full["daemon"]]
    nothing = {key for key, value in told["projects"][0].items() if value is None}
    assert nothing == {
        "tip", "subject", "applied", "reason", "hint", "busy", "running", "batch", "queue_lost", "settling",
        "stale", "stale_results", "last_sync", "full_disk", "elsewhere",
    }  # fmt: skip
    assert told["projects"][0]["pointer"] == {"recorded": None, "saved": False}
