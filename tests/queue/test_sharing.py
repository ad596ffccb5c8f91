"""How jobs share what a host has, and in which words one waits for it."""

from __future__ import annotations

import pytest

from wtwatch.doors.capacity import Capacity
from wtwatch.queue import sharing
from wtwatch.words.resources import Resources

HAVE = Capacity(4, 24_000, ("0", "1"))


@pytest.mark.parametrize(
    ("living", "want", "said"),
    [
        ({}, Resources(4, 24_000, None, 2), None),
        ({3: Resources(mem=20_000)}, Resources(mem=20_000), "20 GB of memory: job 3 has 20 of 24 GB"),
        ({3: Resources(mem=20_000)}, Resources(mem=4_000), None),
        ({3: Resources(mem=900)}, Resources(mem=24_000), "24 GB of memory: job 3 has 900 MB of 24 GB"),
        (
            {3: Resources(), 4: Resources(2)},
            Resources(2),
            "2 processors: jobs 3 and 4 have 3 of 4",
        ),
        ({3: Resources(), 4: Resources(2)}, Resources(), None),
        ({3: Resources(gpus=2)}, Resources(gpus=1), "1 graphics card: job 3 has 2 of 2"),
        ({3: Resources(gpus=2)}, Resources(), None),
    ],
)
def test_a_job_starts_only_where_the_sums_fit(
    living: dict[int, Resources], want: Resources, said: str | None
) -> None:
    name = sharing.short_of(HAVE, living, want)
    words = name and sharing.waits_for(HAVE, living, want, name)
    assert words == (f"waits for {said}" if said else None)


def test_alone_a_job_starts_though_it_asks_for_more_than_there_is() -> None:
    assert sharing.short_of(HAVE, {}, Resources(99)) is None
    assert sharing.short_of(HAVE, {1: Resources()}, Resources(99)) == "cpus"


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (Resources(4, 24_000, 9, 2), None),
        (Resources(5), ("asks for 5 processors, and this host has 4", "Ask for at most --cpus 4.")),
        (
            Resources(mem=10**6),
            ("asks for 1 TB of memory, and this host has 24 GB", "Ask for at most --mem 24GB."),
        ),
        (Resources(gpus=3), ("asks for 3 graphics cards, and this host has 2", "Ask for at most --gpus 2.")),
    ],
)
def test_what_a_host_does_not_have_at_all_is_said(want: Resources, said: tuple[str, str] | None) -> None:
    assert sharing.too_much(HAVE, want) == said


def test_a_host_without_cards_has_none() -> None:
    said = sharing.too_much(Capacity(4, 24_000), Resources(gpus=1))
    assert said == ("asks for 1 graphics card, and this host has none", "Leave --gpus out.")


def test_no_card_is_dealt_twice() -> None:
    first = sharing.deal(HAVE, (), Resources(gpus=1))
    second = sharing.deal(HAVE, first, Resources(gpus=1))
    assert (first, second, sharing.deal(HAVE, (), Resources())) == (("0",), ("1",), ())
