"""Jobs in lanes share what this host has, and wait for those that they meet."""

from __future__ import annotations

import pytest

from tests.conftest import Say
from tests.lab import Gate, Lab, eventually
from tests.lanes.test_side_by_side import WORK, queued, worked_off
from wtwatch.doors import capacity
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import tick
from wtwatch.words.model import JobSpec

pytestmark = pytest.mark.slow


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    """A project with three lanes, whose batches start as soon as the bookmark moved."""
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0, lanes=3)


def gated(gate: Gate, name: str, line: str = "date", **more: object) -> JobSpec:
    """A job that waits at a gate, then makes a file of what a line prints."""
    wait = f"until [ -e {gate.file} ]; do sleep 0.02; done"
    output = f"05_visualization/{name}"
    command = f"{wait}; mkdir -p 05_visualization; {line} > {output}"
    return JobSpec(command, outputs=(output,))._replace(**more)  # type: ignore[arg-type]


def states(project: Project) -> list[str]:
    tick(project, WORK)
    return [job.word for job in Queue(project.state).jobs()]


def test_jobs_that_do_not_fit_into_memory_together_never_live_together(lab: Lab, project: Project) -> None:
    gate, much = Gate(lab.root / "gate"), capacity.of_this_host().mem * 6 // 10
    first, second = (gated(gate, name, mem=much) for name in "ab")
    queued(lab, project, [first, second, gated(Gate(lab.root), "c", cpus=1)])
    eventually(lambda: states(project) == ["running", "waiting", "succeeded"], within=60)
    gate.open()
    assert [job.word for job in worked_off(project)] == ["succeeded"] * 3


def test_jobs_that_live_together_have_no_card_in_common(
    lab: Lab, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    gate = Gate(lab.root / "gate")
    queued(lab, project, [gated(gate, name, "echo $CUDA_VISIBLE_DEVICES", gpus=1) for name in "abc"])
    eventually(lambda: states(project) == ["running", "running", "waiting"], within=60)
    living = Queue(project.state).living()
    orders = [Folder.of(project.state, job.id, job.attempt).order() for job in living]
    assert [order and order.allocated for order in orders] == [
        (("CUDA_VISIBLE_DEVICES", "4"),), (("CUDA_VISIBLE_DEVICES", "7"),)
    ]  # fmt: skip
    gate.open()
    assert [job.word for job in worked_off(project)] == ["succeeded"] * 3
    assert {(lab.run / f"05_visualization/{name}").read_text().strip() for name in "ab"} == {"4", "7"}


def test_a_job_reads_what_one_before_it_in_the_batch_made_and_others_overtake_it(
    lab: Lab, project: Project
) -> None:
    gate = Gate(lab.root / "gate")
    reads = JobSpec(
        "wc -c < 05_visualization/a > 05_visualization/b",
        inputs=("05_visualization/a",),
        outputs=("05_visualization/b",),
    )
    alone = JobSpec("cat 05_visualization/b > /dev/null")
    queued(lab, project, [gated(gate, "a", "echo four"), reads, gated(Gate(lab.root), "c"), alone])
    eventually(lambda: states(project) == ["running", "waiting", "succeeded", "waiting"], within=60)
    gate.open()
    assert [job.word for job in worked_off(project)] == ["succeeded"] * 3 + ["unchanged"]
    assert (lab.run / "05_visualization/b").read_text().strip() == "5"
