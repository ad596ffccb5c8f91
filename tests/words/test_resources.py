"""What a job asks for, as it is written and said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtwatch.queue.rows import spec_of, spec_text
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec
from wtwatch.words.resources import Resources


@pytest.mark.parametrize(
    ("text", "megabytes", "said"),
    [
        ("20GB", 20_000, "20 GB"),
        ("512MB", 512, "512 MB"),
        ("1TB", 1_000_000, "1 TB"),
        ("1.5g", 1500, "1.5 GB"),
        (" 8 GiB ", 8590, "8.6 GB"),
        ("300M", 300, "300 MB"),
    ],
)
def test_sizes_are_read_and_said(text: str, megabytes: int, said: str) -> None:
    assert resources.memory(text) == megabytes and resources.memory_words(megabytes) == said


@pytest.mark.parametrize(
    "text", ["", " ", "20", "GB", "-1GB", "0GB", "1e3MB", "1KB", "20 GBs", "9" * 30 + "T"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resources.memory(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90min", 5400), ("45s", 45), ("1d12h", 129_600), ("1.5 h", 5400), ("1 h 30 m", 5400)],
)
def test_lengths_of_time_are_read(text: str, seconds: int) -> None:
    assert resources.span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "0s", "soon", "2h soon", "-1h", "2 hours", "h", "1:30", "9" * 30 + "d"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resources.span(text)
    assert caught.value.hint


@settings(deadline=None)
@given(st.integers(1, 10**8))
def test_a_length_of_time_that_is_said_is_read_as_the_same(seconds: int) -> None:
    assert resources.span(resources.span_words(seconds)) == seconds


def test_what_is_asked_for_is_said_in_words_and_clusters_have_whole_minutes() -> None:
    want = Resources(2, 20_000, 5401, 1)
    assert ", ".join(resources.words(want)) == (
        "2 processors, 20 GB of memory, 1 graphics card, 1 h 30 min 1 s at most"
    )
    assert (want.minutes, Resources().minutes, list(resources.words(Resources()))) == (91, None, [])


@pytest.mark.parametrize(
    "odd",
    [None, 3, [], {"cpus": "2"}, {"cpus": True}, {"mem": 0}, {"seconds": 1e9}, {"gpus": 10**12}, {"x": 1}],
)
def test_what_a_record_of_anybody_says_is_taken_only_if_it_can_be_meant(odd: object) -> None:
    assert resources.noted(odd) == Resources()


def test_what_a_record_says_comes_back() -> None:
    want = Resources(2, 512, None, 1)
    assert resources.note(want) == {"cpus": 2, "mem": 512, "gpus": 1}
    assert resources.noted(resources.note(want)) == want


def test_a_job_keeps_what_it_asks_for_and_one_of_before_asks_for_nothing() -> None:
    spec = JobSpec("true", cpus=2, mem=512, seconds=60, gpus=1)
    assert spec_of(spec_text(spec)) == spec and resources.of(spec) == Resources(2, 512, 60, 1)
    assert resources.of(spec_of(json.dumps({"command": "true"}))) == Resources()
