"""Words for people: lengths of time, sizes."""

from __future__ import annotations

import pytest

from wtwatch.words.model import sized, spent


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (247, "4 min 07 s"),
        (3599.7, "1 h 00 min"),
        (11537, "3 h 12 min"),
        (200000, "2 d 07 h"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert spent(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_is_told_in_three_figures_at_most_up_to_terabytes(count: int, text: str) -> None:
    assert sized(count) == text
