"""What jobs of the queue touch is looked up where they do not say it themselves, each thing once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from wtwatch.doors import dataset
from wtwatch.project.config import Project
from wtwatch.queue import candidates
from wtwatch.queue.candidates import Looker
from wtwatch.queue.choosing import Candidate
from wtwatch.queue.jobs import Queue
from wtwatch.queue.meeting import Touches
from wtwatch.words.model import Job, JobSpec, Running, Sha, Trigger, now
from wtwatch.words.resources import Resources

MESSAGE = """[DATALAD RUNCMD] x

=== Do not change lines below ===
{}
^^^ Do not change lines above ^^^
"""
RECORD = {
    "cmd": "x", "inputs": ["in"], "outputs": ["../out"], "extra_inputs": ["img"], "pwd": "sub",
    "wtwatch": {"asked": {"cpus": 2, "mem": 512}},
}  # fmt: skip


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A dataset with a record at HEAD, and a container."""
    made = tmp_path / "top"
    (made / ".datalad").mkdir(parents=True)
    for words in (
        ("init", "-q"),
        ("commit", "-q", "--allow-empty", "-m", MESSAGE.format(json.dumps(RECORD))),
        ("config", "-f", ".datalad/config", "datalad.containers.box.image", "images/box.sif"),
    ):
        subprocess.run(["git", *words], cwd=made, check=True, capture_output=True)
    return made


def job(spec: JobSpec, number: int = 1) -> Job:
    return Job(number, 1, 1, spec, now())


def test_what_a_record_declares_counts_where_a_rerun_does_not_say_it(top: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=top, check=True, capture_output=True, text=True)
    commit = Sha(head.stdout.strip())
    spec = dataset.spec_of(top, commit)
    assert spec is not None and (spec.cpus, spec.mem, spec.seconds) == (2, 512, None), "it asks as it did"
    touched = Touches(("sub/in", "sub/img"), ("out",))
    look = Looker(top).candidate
    assert look(job(spec)) == Candidate(1, Resources(2, 512), touched)
    assert look(job(JobSpec("x", rerun_of=commit), 2)).touches == touched
    assert look(job(JobSpec("x", rerun_of=Sha("0" * 40)))).touches == Touches((), None)


def test_the_image_of_a_container_is_an_input_and_one_that_is_gone_is_none(top: Path) -> None:
    look = Looker(top).candidate
    inside = JobSpec("x", inputs=("in",), outputs=("out",), container="box")
    assert look(job(inside)).touches == Touches(("in", "images/box.sif"), ("out",))
    assert look(job(inside._replace(container="gone"))).touches == Touches(("in",), ("out",))


def test_of_the_batch_under_way_the_first_that_meets_none_is_chosen(tmp_path: Path) -> None:
    queue, tip = Queue(tmp_path / "state"), Sha("a" * 40)
    (tmp_path / "state").mkdir()
    assert candidates.choice(queue, tmp_path, None) == (None, {})
    queue.add([JobSpec(name, outputs=(name,)) for name in ("a", "a/b", "c")], Trigger.NOW, tip)
    queue.add([JobSpec("z", outputs=("z",))], Trigger.NOW, tip)
    queue.begin(1, Running(now(), tip, tip, "u"))
    assert candidates.choice(queue, tmp_path, None) == (3, {2: "waits for job 1, which makes a too"})
    queue.begin(3, Running(now(), tip, tip, "v"))
    assert candidates.choice(queue, tmp_path, None).job is None, "the next batch waits for this one"


def test_a_cluster_shares_out_what_it_has_itself() -> None:
    project = Project("p", Path("/s"), Path("/m"), Path("/r"))
    assert candidates.shared(project) is not None
    assert candidates.shared(project._replace(executor=(("kind", "slurm"),))) is None
