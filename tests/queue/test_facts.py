"""What a project must not forget besides its jobs; and what waits does not go by the clock on the wall."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from wtwatch.doors.clock import Instant, instant
from wtwatch.doors.processes import Identity
from wtwatch.queue import facts
from wtwatch.queue.facts import ExecNote, QueueFacts, Waits
from wtwatch.words.model import Sha, SyncDone, now, stamp

A, B, C = (Sha(letter * 40) for letter in "abc")


@pytest.fixture
def kept(tmp_path: Path) -> QueueFacts:
    return QueueFacts(tmp_path / "state")


def again(kept: QueueFacts) -> QueueFacts:
    """Return the same facts as another process sees them."""
    return QueueFacts(kept.file.parent)


def write(kept: QueueFacts, key: str, value: str) -> None:
    """Put a fact into the file as another version of wtwatch might have put it there."""
    with closing(sqlite3.connect(kept.file)) as db, db:
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def noted_at(kept: QueueFacts, commit: Sha, when: Instant) -> None:
    """Have the bookmark be seen at ``commit`` at another moment than now."""
    at = stamp(now())
    write(kept, "tip", json.dumps({"commit": commit, "at": at, **when._asdict()}))


def test_nothing_is_known_of_a_queue_that_was_never_used(kept: QueueFacts) -> None:
    assert (kept.tip(), kept.waits(), kept.executes(), kept.last_sync()) == (None, None, None, None)
    assert (kept.paused(), kept.hurries(A), kept.was_used(A), kept.still(A)) == (False, False, False, 0.0)
    assert not kept.file.parent.exists()


def test_syncs_and_backups_seen_are_kept(kept: QueueFacts) -> None:
    kept.record_sync(SyncDone(now(), A, B, 0.1, None))
    newest = SyncDone(now(), B, C, 0.25, "20260101-x")
    kept.record_sync(newest)
    kept.acknowledge_backups(["one", "two"])
    kept.acknowledge_backups(["two"])
    assert again(kept).last_sync() == newest
    assert again(kept).acknowledged_backups() == {"one", "two"}


def test_of_many_syncs_the_newest_are_kept(kept: QueueFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "KEPT_SYNCS", 3)
    for number in range(10):
        kept.record_sync(SyncDone(now(), A, B, float(number), None))
    last = kept.last_sync()
    assert last and last.seconds == 9.0
    with closing(sqlite3.connect(kept.file)) as db:
        assert db.execute("SELECT seconds FROM syncs").fetchall() == [(7.0,), (8.0,), (9.0,)]


def test_small_facts_come_back_as_they_were_noted(kept: QueueFacts) -> None:
    command = ExecNote(Identity(7, 40, "boot"), "sleep", now())
    kept.note_exec(command)
    kept.note_used(A)
    kept.hurry(B)
    kept.pause()
    assert again(kept).executes() == command
    assert (again(kept).was_used(A), again(kept).was_used(B)) == (True, False)
    assert (again(kept).hurries(B), again(kept).hurries(A)) == (True, False)
    assert again(kept).paused()
    kept.note_exec(None)
    kept.resume()
    assert again(kept).executes() is None
    assert not again(kept).paused()


def test_what_is_waited_for_keeps_the_time_at_which_it_was_first_said(kept: QueueFacts) -> None:
    first = Waits("a file is in the way", "move it", False, now())
    kept.note_waits(first)
    kept.note_waits(first._replace(since=now(), hint="another"))
    assert again(kept).waits() == first
    kept.note_waits(other := Waits("cat works there", None, True, now()))
    assert again(kept).waits() == other
    kept.note_waits(None)
    assert again(kept).waits() is None


def test_a_bookmark_counts_as_still_since_it_was_first_seen_there(kept: QueueFacts) -> None:
    began = instant()
    kept.note_tip(A)
    noted = kept.tip()
    assert noted and noted.commit == A and noted.since.seconds >= began.seconds
    kept.note_tip(A)
    assert kept.tip() == noted
    assert 0 <= kept.still(A) <= instant().seconds - began.seconds
    assert kept.still(B) == 0
    noted_at(kept, A, Instant(began.boot, began.seconds - 20))
    assert kept.still(A) >= 20


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_makes_nothing_wait_longer_or_shorter(
    kept: QueueFacts, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr(facts, "now", lambda: now() + timedelta(hours=hours))
    began = instant()
    kept.note_tip(A)
    monkeypatch.undo()
    assert 0 <= kept.still(A) <= instant().seconds - began.seconds


def test_what_was_seen_before_the_machine_started_or_is_yet_to_come_counts_from_now(kept: QueueFacts) -> None:
    kept.pause()
    boot, seconds = began = instant()
    for odd in (Instant("another", seconds - 1000), Instant(boot, seconds + 1000)):
        noted_at(kept, A, odd)
        assert kept.still(A) == 0
        kept.note_tip(A)
        noted = kept.tip()
        assert noted and noted.since.boot == boot and began.seconds <= noted.since.seconds
        assert noted.since.seconds <= instant().seconds


@pytest.mark.parametrize("value", ["", A, "1" * 40, "null", "[1]", "{}", '{"commit": "a", "boot": 3}'])
def test_a_fact_that_cannot_be_read_is_as_good_as_unknown(kept: QueueFacts, value: str) -> None:
    kept.pause()
    for key in ("tip", "waits", "exec"):
        write(kept, key, value)
    assert (kept.tip(), kept.waits(), kept.executes(), kept.still(A)) == (None, None, None, 0.0)
    kept.note_tip(A)
    assert kept.tip()
    kept.note_waits(Waits("a reason", None, False, now()))
    assert kept.waits()


def test_what_a_newer_version_notes_besides_is_passed_over(kept: QueueFacts) -> None:
    kept.pause()
    write(kept, "waits", json.dumps({"reason": "r", "since": "2026-01-01T00:00:00.000000Z", "kind": "x"}))
    waits = kept.waits()
    assert waits and waits._replace(since=now()).reason == "r" and waits.hint is None
