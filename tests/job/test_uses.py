"""What a job used of the code is learned while it runs, whatever program it is, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.test_code_as_paths import run
from tests.job.bench import Bench, over
from tests.lab import Lab, eventually
from tests.pathhouse import PathHouse
from wtwatch.job import lifecycle
from wtwatch.job.uses import _asked
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Job, JobSpec, Outcome
from wtwatch.words.uses import Uses


def used(bench: Bench, job: Job) -> Uses:
    return lifecycle.uses_of(bench.place, job)


def test_a_script_used_itself(bench: Bench) -> None:
    job = bench.do("cat code/src/process2p/version.py > out", outputs=("out",))
    assert used(bench, job) == Uses(("code/src/process2p/version.py",)), bench.log(job)


def test_code_that_was_written_to_and_put_back_is_a_failure(bench: Bench) -> None:
    base, file = bench.head(), "code/src/process2p/version.py"
    job = bench.do(f"cp -p {file} kept; echo >> {file}; echo 1 > out; mv kept {file}", outputs=("out",))
    state = over(job)
    assert state.outcome is Outcome.FAILED and bench.head() == base
    assert "written to while it ran, though it is as before by now: src/process2p/version.py" in str(
        state.detail
    )


def let_git_be_sure(lab: Lab) -> None:
    """Have git's index be newer than the files, which it reads again at each look until then (racy-git)."""
    index = Path(lab.git("rev-parse", "--path-format=absolute", "--git-path", "index", cwd=lab.run_code))
    then = int(index.stat().st_mtime)

    def is_newer() -> bool:
        lab.git("update-index", "-q", "--force-write-index", "--refresh", cwd=lab.run_code)
        return int(index.stat().st_mtime) > then

    eventually(is_newer)


@pytest.mark.slow
def test_what_wtwatch_itself_looks_at_while_a_job_runs_is_no_use_of_it(lab: Lab) -> None:
    lab.move_bookmark()
    lab.wtwatch("init")
    gate = lab.gate()
    wait = f"touch {gate.file}.reached; until [ -e {gate.file} ]; do sleep 0.02; done"
    command = f"cat code/src/process2p/version.py > out; {wait}"
    looks = ("status", "sync --dry-run", "status --json", "sync", "queue show 1", "queue list")
    let_git_be_sure(lab)
    with lab.daemon():
        lab.wtwatch("queue", "add", "--now", "-o", "out", "--", command)
        eventually(gate.reached)
        for line in (*looks, "merge --dry-run", "backups list", "release --dry-run"):
            lab.wtwatch(*line.split(), code=(0, 1, 2, 3))
        gate.open()
        eventually(lambda: lab.jobs()[0]["state"] == "succeeded")
    assert Queue(lab.project().state).uses(1) == Uses(("code/src/process2p/version.py",))


def test_code_may_be_a_folder_of_the_superdataset(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    command = "cat code/a in/* > out/x; ls code > /dev/null"
    (job,) = run(house, JobSpec(f"mkdir -p out; {command}", plain=True, outputs=("out",)))
    assert job.word == "succeeded"
    assert Queue(house.project.state).uses(job.id) == Uses(("code/a",), ("code",))


def test_what_tools_of_workflows_keep_for_themselves_holds_up_no_job_after_it(tmp_path: Path) -> None:
    leaves = "mkdir .snakemake; touch .snakemake/log .nextflow.log; cat code/a"
    jobs = run(PathHouse(tmp_path), JobSpec(leaves, plain=True), JobSpec("cat code/a", plain=True))
    assert [(job.word, over(job).detail) for job in jobs] == [("succeeded", None)] * 2


@pytest.mark.parametrize(
    ("roots", "places", "asked"),
    [
        (("code",), ("", "code/", "inputs/"), {"code/": []}),
        (("code",), ("", "code/", "code/lib/"), {"code/": [], "code/lib/": []}),
        (("src", "run.py"), ("", "src/lib/", "inputs/"), {"": ["src", "run.py"], "src/lib/": []}),
        (("tools/src",), ("", "tools/"), {"tools/": ["src"]}),
    ],
)
def test_of_datasets_that_are_all_around_code_git_is_asked_nothing(
    roots: tuple[str, ...], places: tuple[str, ...], asked: dict[str, list[str]]
) -> None:
    assert _asked(roots, places) == asked
