"""The file of the queue: that it was lost is noticed, however it went, and no number is given out twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Job, JobSpec, Sha, Trigger

A = Sha("a" * 40)


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "state")


def add(queue: Queue, number: int = 1) -> list[Job]:
    return queue.add([JobSpec("true")] * number, Trigger.NOW, A)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


losses = pytest.mark.parametrize("lose", [Path.unlink, emptied])


def test_a_queue_that_was_never_used_or_is_used_is_not_lost(queue: Queue) -> None:
    assert queue.lost() is None
    add(queue)
    assert queue.lost() is None
    assert Queue(queue.file.parent).lost() is None


@losses
def test_a_file_that_is_gone_or_empty_is_told_until_that_was_seen(
    queue: Queue, lose: Callable[[Path], None]
) -> None:
    add(queue)
    lose(queue.file)
    assert queue.lost() and queue.jobs() == []
    add(queue)
    found = queue.lost()
    assert found and queue.lost() == found
    queue.accept_loss()
    assert queue.lost() is None
    lose(queue.file)
    assert queue.lost(), "it is told again when it happens again"


@losses
def test_numbers_of_lost_jobs_that_have_folders_are_not_given_out_again(
    queue: Queue, lose: Callable[[Path], None]
) -> None:
    add(queue, 12)
    for name in ("3.1", "11.2", "9.1~1", "notes", "x.1"):
        (queue.file.parent / "jobs" / name).mkdir(parents=True)
    lose(queue.file)
    assert [job.id for job in add(queue, 2)] == [12, 13]


def test_the_loss_of_a_file_that_an_older_version_made_is_told_by_the_folders_of_its_jobs(
    queue: Queue,
) -> None:
    (queue.file.parent / "jobs" / "3.1").mkdir(parents=True)
    assert queue.lost()
    assert [job.id for job in add(queue)] == [4]
    assert queue.lost()
