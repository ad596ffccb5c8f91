"""Benches for the tests of jobs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.job.bench import (
    Bench,
    MakeBench,
)
from tests.lab import Lab


@pytest.fixture
def make_bench(make_lab: Callable[..., Lab]) -> MakeBench:
    def make(name: str = "lab") -> Bench:
        lab = make_lab("git", name)
        lab.move_bookmark()
        lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
        inputs = lab.run / "inputs" / "L5b_2p"
        lab.git("worktree", "add", "--quiet", "-b", "runs", str(inputs), cwd=lab.inputs)
        lab.git("worktree", "add", "--quiet", "--detach", str(lab.run_code), "runs", cwd=lab.code)
        lab.project().state.mkdir(parents=True, exist_ok=True)
        return Bench(lab, lab.project())

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()
