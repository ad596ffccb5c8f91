"""Jobs of a batch in lanes: side by side, each with its own commit, one upon another in the run tree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.job.bench import TABLE
from tests.lab import Gate, Lab, eventually, plot_of
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.model import Ended, Job, JobSpec, Trigger

WORK = TickOptions(start_jobs=True, patience=5.0)


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    """A project with two lanes, whose batches start as soon as the bookmark moved."""
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0, lanes=2)


def queued(lab: Lab, project: Project, specs: Iterable[JobSpec]) -> list[Job]:
    return Queue(project.state).add(list(specs), Trigger.NOW, lab.commit("runs"))


def worked_off(project: Project) -> list[Job]:
    """Tick until nothing waits or runs; return all jobs."""
    queue = Queue(project.state)

    def over() -> bool:
        tick(project, WORK)
        return all(isinstance(job.state, Ended) for job in queue.jobs())

    eventually(over, within=240)
    tick(project, WORK)
    return queue.jobs()


def writes(name: str, text: str = "") -> JobSpec:
    output = f"05_visualization/{name}"
    return JobSpec(f"mkdir -p 05_visualization && echo {text or name} > {output}", outputs=(output,))


@pytest.mark.slow
def test_jobs_run_side_by_side_and_each_has_its_own_commit(lab: Lab, project: Project) -> None:
    base = lab.commit("HEAD", lab.run)
    gate = Gate(lab.root / "gate")
    first = JobSpec(plot_of("240226I", "LSD", gate.words), outputs=("05_visualization/240226I/LSD/F.svg",))
    queued(lab, project, [first, *(writes(name) for name in "abc")])
    queue = Queue(project.state)

    def others_are_done() -> bool:
        tick(project, WORK)
        return [job.word for job in queue.jobs()] == ["running", *["succeeded"] * 3]

    eventually(others_are_done, within=60)
    gate.open()
    jobs = worked_off(project)
    assert [job.word for job in jobs] == ["succeeded"] * 4
    commits = lab.git("rev-list", "--reverse", f"{base}..HEAD", cwd=lab.run).split()
    made = [job.state.commits for job in jobs if isinstance(job.state, Ended)]
    assert sorted(commits) == sorted(commit for one in made for commit in one) and len(commits) == 4
    assert lab.git("rev-list", "--merges", f"{base}..HEAD", cwd=lab.run) == ""
    assert lab.git("status", "--porcelain", cwd=lab.run) == ""
    for name in "abc":
        assert (lab.run / f"05_visualization/{name}").read_text() == f"{name}\n"


@pytest.mark.slow
def test_jobs_go_on_while_somebody_works_in_the_run_tree_and_results_wait(lab: Lab, project: Project) -> None:
    base = lab.commit("HEAD", lab.run)
    jobs = queued(lab, project, [writes(name) for name in "abcd"])
    queue = Queue(project.state)
    tick(project, WORK)
    by_hand = "import sys; print('in', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", by_hand], cwd=lab.run, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stdout.readline() == b"in\n"

        def all_are_computed() -> bool:
            done = tick(project, WORK)
            assert done.waits is None or "results of jobs in lanes wait" in done.waits
            return all(Folder.of(project.state, job.id, 1).is_over() for job in jobs)

        def lanes_are_free() -> bool:
            tick(project, WORK)
            return [notes.lease(lane) for lane in notes.known(project)] == [None, None]

        eventually(all_are_computed, within=120)
        eventually(lanes_are_free)  # the process of a job that is over has its lane for a moment more
        assert [job.word for job in queue.jobs()] == ["running"] * 4
        assert lab.commit("HEAD", lab.run) == base
        lab.git("gc", "--quiet", "--prune=now", cwd=lab.run)
        process.communicate()
    assert [job.word for job in worked_off(project)] == ["succeeded"] * 4
    assert sorted(path.name for path in (lab.run / "05_visualization").iterdir())[-4:] == [*"abcd"]
    assert lab.git("rev-list", "--count", f"{base}..HEAD", cwd=lab.run) == "4"


@pytest.mark.slow
def test_what_jobs_in_two_lanes_need_cannot_be_dropped_until_both_have_ended(
    lab: Lab, project: Project, tmp_path: Path
) -> None:
    def is_held() -> bool:
        words = ("git", "annex", "drop", "--force", TABLE)
        return lab.say(*words, cwd=lab.main, code=(0, 1)).code != 0

    def waits_for(gate: str) -> JobSpec:
        command = f"touch {tmp_path}/{gate}.in; until [ -e {tmp_path}/{gate} ]; do sleep 0.02; done"
        spec = writes(gate)
        return spec._replace(command=f"{command}; {spec.command}", inputs=(TABLE,))

    jobs = queued(lab, project, [waits_for("a"), waits_for("b")])

    def are_over(*numbers: int) -> bool:
        tick(project, WORK)
        return all(isinstance(Queue(project.state).job(jobs[one].id).state, Ended) for one in numbers)

    def both_run() -> bool:
        tick(project, WORK)
        return all((tmp_path / f"{gate}.in").exists() for gate in "ab")

    eventually(both_run, within=60)
    assert is_held()
    (tmp_path / "a").touch()
    eventually(partial(are_over, 0), within=60)
    assert is_held(), "the other one runs still"
    (tmp_path / "b").touch()
    eventually(partial(are_over, 1), within=60)
    eventually(lambda: not is_held())


@pytest.mark.slow
def test_a_dataset_that_a_job_made_in_a_lane_comes_into_the_run_tree_and_home(
    lab: Lab, project: Project, say: Say
) -> None:
    making = (
        "datalad -f disabled create -d . made && echo one > made/data && datalad -f disabled save -d made"
    )
    queued(lab, project, [writes("a"), JobSpec(making, outputs=("made",)), writes("b")])
    jobs = worked_off(project)
    assert [job.word for job in jobs] == ["succeeded"] * 3, [job.state for job in jobs]
    assert (lab.run / "made/data").read_text() == "one\n"
    assert lab.git("status", "--porcelain", cwd=lab.run) == ""
    say(lab.main, "merge")
    assert (lab.main / "made/data").read_text() == "one\n"
    lab.git("fsck", "--connectivity-only", "--no-dangling", cwd=lab.main / "made")
    more = JobSpec("echo two > made/more", outputs=("made/more",))
    queued(lab, project, [more, writes("c")])
    jobs = worked_off(project)
    assert [job.word for job in jobs[3:]] == ["succeeded"] * 2, [job.state for job in jobs[3:]]
    say(lab.main, "merge")
    assert (lab.main / "made/more").read_text() == "two\n"
