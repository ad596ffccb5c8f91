"""No result that differs from what its job would make now is ever called fresh, whatever was done to code.

`WTWATCH_STALE_EXAMPLES` says how many lives projects have here; `make stress-stale` has 500.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.stale.lived import Place
from tests.stale.programs import LIVES, Life
from tests.tally import Looks
from wtwatch.stale.values import Finding, Standing

EXAMPLES = int(
    os.environ.get("WTWATCH_STALE_EXAMPLES") or 100
)  # read here, since the room of a test is sealed
PARTS = 4
"""Tests among which these are shared, for as many workers."""

WHOLE = 4
"""Lives of which each result is made by a job's own process, with DataLad, which takes its time."""

NEEDED = (Standing.STALE, Standing.FED)

pytestmark = pytest.mark.slow

_SETTINGS = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_result_that_differs_is_ever_called_fresh(tmp_path: Path, looks: Looks, part: int) -> None:
    place = Place(tmp_path / "place")

    @settings(_SETTINGS, max_examples=EXAMPLES // PARTS)
    @given(LIVES)
    def each(life: Life) -> None:
        lived(place, life, looks)

    each()


@pytest.mark.usefixtures("warm")
def test_nor_is_one_that_a_job_made_in_a_process_of_its_own(tmp_path: Path, looks: Looks) -> None:
    place = Place(tmp_path / "place", whole=True)

    @settings(_SETTINGS, max_examples=WHOLE)
    @given(LIVES)
    def each(life: Life) -> None:
        lived(place, life, looks)

    each()


def lived(place: Place, life: Life, looks: Looks) -> None:
    """Have a project's life, and ask of each result after each step how it stands, and then the oracle."""
    place.begin(life)
    for number, task in enumerate(life.tasks):
        place.run(task, number)
    asked(place, looks)
    for step in life.steps:
        place.live(step)
        found = asked(place, looks)
        if step.again:
            made_anew(place, looks, [one for one in found if one.standing in NEEDED])


def asked(place: Place, looks: Looks) -> list[Finding]:
    """Ask of each result how it stands, and then the oracle."""
    found = place.found()
    for one, differs in place.differing(found):
        looks.add(one.standing, differs)
        if differs:
            assert one.standing in (Standing.STALE, Standing.UNKNOWN), said_of(one)
    return found


def made_anew(place: Place, looks: Looks, needed: list[Finding]) -> None:
    """Make anew what is stale, as a batch does; then nothing of that is stale, unless a job of it failed."""
    well = [place.run_again(one) for one in needed if place.is_due(one)]
    left = [one for one in asked(place, looks) if one.standing in NEEDED] if needed else []
    commands = {one.result.spec.command for one in needed}
    assert not all(well) or not [said_of(one) for one in left if one.result.spec.command in commands]


def said_of(one: Finding) -> str:
    why = ", ".join(f"{path} {how}" for path, how in one.why)
    return f"{one.result.spec.command}: {one.standing.value} ({why})\n{one.result.evidence.uses}"
