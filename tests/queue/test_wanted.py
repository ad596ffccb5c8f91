"""JOBS: numbers, ranges and batches mean the same in each command."""

from __future__ import annotations

import pytest

from tests.queue.samples import A, run_next, specs
from wtwatch.queue.jobs import Queue
from wtwatch.queue.wanted import wanted
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Trigger


@pytest.fixture
def full(queue: Queue) -> Queue:
    queue.add(specs("one", "two", "three"), Trigger.NOW, A)
    queue.add(specs("four", "five"), Trigger.NOW, A)
    queue.add_standing(specs("always"), A)
    return queue


def test_numbers_ranges_and_batches_name_jobs_each_once_in_the_order_of_the_words(full: Queue) -> None:
    assert wanted(full.file, ["5", "1-3", "2"]) == [5, 1, 2, 3]
    assert wanted(full.file, ["b2", "1"]) == wanted(full.file, ["4–5", "1"]) == [4, 5, 1]
    assert wanted(full.file, [], ["2", "b1"]) == [4, 5, 1, 2, 3]
    assert wanted(full.file, []) == []


def test_a_range_means_those_of_its_jobs_that_are_there(full: Queue) -> None:
    full.remove([2])
    assert wanted(full.file, ["1-4", f"5-{10**17}"]) == [1, 3, 4, 5]


def test_standing_jobs_are_meant_only_where_that_has_a_sense(full: Queue) -> None:
    assert wanted(full.file, ["s1", "1"], standing=True) == ["s1", 1]
    with pytest.raises(UsageError, match="standing"):
        wanted(full.file, ["s1"])
    with pytest.raises(UsageError, match="no standing jobs s2"):
        wanted(full.file, ["s2"], standing=True)


@pytest.mark.parametrize(
    "word", ["", " ", "6", "0", "-1", "7-9", "3-1", "1-", "-3", "1--3", "b3", "b", "²", "9" * 30, "one"]
)
def test_what_names_no_job_is_a_usage_error_with_a_way_out(full: Queue, word: str) -> None:
    with pytest.raises(UsageError) as found:
        wanted(full.file, ["1", word])
    assert found.value.hint


@pytest.mark.parametrize("batch", ["", "3", "x", "9" * 30])
def test_what_is_no_batch_is_a_usage_error(full: Queue, batch: str) -> None:
    with pytest.raises(UsageError):
        wanted(full.file, [], [batch])


def test_a_batch_whose_jobs_were_all_retried_says_so(full: Queue) -> None:
    for _ in range(3):
        run_next(full)
    full.retry([1, 2, 3])
    with pytest.raises(UsageError, match="All jobs of batch 1 were retried"):
        wanted(full.file, ["b1"])


def test_asking_for_jobs_makes_no_database(queue: Queue) -> None:
    with pytest.raises(UsageError, match="no job 1"):
        wanted(queue.file, ["1"])
    assert not queue.file.exists()
