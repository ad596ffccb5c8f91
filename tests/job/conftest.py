"""Benches for the tests of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import is_ready
from tests.house import House
from tests.job.bench import (
    Bench,
    MakeBench,
)
from tests.lab import Lab, eventually
from wtwatch.job import lifecycle
from wtwatch.job.warming import AGAIN, Warming


@pytest.fixture
def make_bench(make_lab: Callable[..., Lab]) -> MakeBench:
    def make(name: str = "lab") -> Bench:
        lab = make_lab("run", name)
        lab.project().state.mkdir(parents=True, exist_ok=True)
        return Bench(lab, lab.project())

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "house")


@pytest.fixture(scope="session")
def warmed() -> Iterator[Warming]:
    """A process with all that jobs need, as the daemon has one; for all tests of this process."""
    warming = Warming()
    yield warming
    warming.close()


@pytest.fixture(autouse=True)
def warm(request: pytest.FixtureRequest, warmed: Warming, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have jobs start as the daemon starts them; of tests that are marked ``cold``, as without one."""
    if request.node.get_closest_marker("cold") is None and "make_bench" in request.fixturenames:
        eventually(lambda: is_ready(warmed), within=2 * AGAIN)
        monkeypatch.setattr(lifecycle.HERE, "warming", warmed)
