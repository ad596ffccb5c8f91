"""What the rows of the database say outlives the version that wrote it, in both directions."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from wtwatch.queue.jobs import Queue
from wtwatch.queue.rows import spec_of, spec_text
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Foreign, JobSpec, Sha, Trigger

A, B = (Sha(letter * 40) for letter in "ab")
NEWER = {"version": 7, "command": "one", "cpus": 2, "each": {"drug": "LSD"}, "more": ["odd", "name"]}
"""What a job is to do, as a version yet to come might say it."""


def changed(queue: Queue, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(queue.file)) as db, db:
        db.execute(statement, values)


def kept(queue: Queue, column: str, table: str) -> object:
    with closing(sqlite3.connect(queue.file)) as db:
        return db.execute(f"SELECT {column} FROM {table} ORDER BY id DESC").fetchone()[0]


def test_what_a_newer_version_says_of_a_job_is_passed_over_and_written_back() -> None:
    spec = spec_of(json.dumps(NEWER))
    assert (spec.command, spec.inputs, spec.plain, spec.version) == ("one", (), False, 7)
    again = json.loads(spec_text(spec._replace(command="two")))
    assert again == {**json.loads(spec_text(JobSpec("two"))), **NEWER, "command": "two"}


def test_what_an_older_version_did_not_say_has_its_default() -> None:
    assert spec_of('{"command": "one"}') == JobSpec("one")
    assert json.loads(spec_text(JobSpec("one")))["version"] == 1


def test_the_values_of_a_job_stay_with_it_through_retries_and_moves(tmp_path: Path) -> None:
    queue, spec = Queue(tmp_path), JobSpec("one", values=(("s", "A"), ("d", "é")))
    [job] = queue.add([spec], Trigger.NOW, A)
    queue.cancel([job.id])
    assert queue.retry([job.id])[0].spec == queue.attempts(job.id)[0].spec == spec
    queue.add_standing([spec], A)
    assert [template.specs for template in queue.standing()] == [(spec,)]
    for odd in ('{"command": "one", "values": [["s"], 3, "ab"]}', '{"command": "one", "values": {"s": 1}}'):
        assert spec_of(odd).values == (), "said by a version that we do not know"


def test_a_row_of_a_newer_version_keeps_nothing_from_being_listed_run_or_retried(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    [job] = queue.add([JobSpec("one")], Trigger.NOW, A)
    changed(queue, "UPDATE jobs SET spec = ?", json.dumps(NEWER))
    assert [found.spec.command for found in queue.jobs()] == ["one"]
    assert queue.next_job() == queue.job(job.id)
    queue.cancel([job.id])
    queue.retry([job.id])
    assert json.loads(str(kept(queue, "spec", "jobs"))) == NEWER


def test_a_batch_of_standing_jobs_has_all_that_a_newer_version_says_of_them(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_standing([JobSpec("one")], A)
    changed(queue, "UPDATE standing SET specs = ?", json.dumps([NEWER]))
    queue.fire(B, lambda old, new: True)
    made = json.loads(str(kept(queue, "spec", "jobs")))
    assert made.items() >= NEWER.items()


def test_a_job_in_a_state_that_a_newer_version_knows_is_shown_and_left_alone(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    [strange, other] = queue.add([JobSpec("one"), JobSpec("two")], Trigger.NOW, A)
    changed(queue, "UPDATE jobs SET state = 'frozen' WHERE id = ?", strange.id)
    assert queue.job(strange.id).state == Foreign("frozen")
    assert [job.word for job in queue.jobs()] == ["frozen", "waiting"]
    assert queue.next_job() == other
    for refuse in (queue.cancel, queue.retry):
        with pytest.raises(UsageError, match="frozen"):
            refuse([strange.id])
    queue.remove([strange.id])
