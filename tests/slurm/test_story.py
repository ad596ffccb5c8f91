"""The story lived on a cluster: a batch runs on a node, its results come home, with a daemon and without."""

from __future__ import annotations

import os
import shutil
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from shlex import quote

import pytest

from tests.building import SUBJECTS
from tests.lab import Lab, eventually
from tests.slurm.cluster import NODE, PATIENCE, Cluster
from tests.stories.findings import follows, is_clean, results, set_settings, states
from wtwatch.doors.dataset import record_of
from wtwatch.queue.jobs import Queue

pytestmark = pytest.mark.slow

ON_SLURM = (("kind", "slurm"), ("partition", "test"))


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_batch_runs_on_the_cluster_and_its_results_come_home(slurm: Cluster, lab: Lab, lanes: int) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=ON_SLURM, lanes=lanes)
    code = lab.commit("runs")
    with lab.daemon():
        lab.queue_plots("--now", subjects=SUBJECTS[:2], drugs=["LSD", "Saline"])
        lab.wtwatch("queue", "wait", code=0)
        new = lab.change_code("v2", "a second version")
        lab.move_bookmark()
        follows(lab, new)
    assert states(lab) == ["succeeded"] * 4
    found = results(lab, lab.run)
    assert len(found) == 4
    for result in found:
        record = record_of(lab.run, result.commit)
        assert record is not None
        assert (record["wtwatch"]["host"], record["wtwatch"]["code"]) == (NODE, code)
    assert is_clean(lab, lab.run)
    eventually(lambda: not slurm.say("squeue", "--noheader"), within=PATIENCE)


def test_without_a_daemon_sync_polls_submits_and_tells_the_end(slurm: Cluster, lab: Lab) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=ON_SLURM)
    lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD", "Saline"])

    def all_over() -> bool:
        lab.wtwatch("sync", code=(0, 1))
        return states(lab) == ["succeeded"] * 2

    eventually(all_over, within=PATIENCE)
    assert len(results(lab, lab.run)) == 2


def said(lab: Lab, *words: str) -> str:
    """Return what a command says, wherever its lines were broken."""
    return " ".join(lab.wtwatch(*words, code=(0, 1)).out.split())


def says(lab: Lab, text: str, *words: str) -> bool:
    return text in said(lab, *words)


def test_why_a_job_waits_on_the_cluster_is_shown_in_the_words_of_slurm(slurm: Cluster, lab: Lab) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=ON_SLURM)
    slurm.say("scontrol", "update", "partitionname=test", "state=down")
    with lab.daemon():
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD"])
        waits = "waits there: PartitionDown"
        for words in (("queue", "show", "1"), ("queue", "list"), ("status",)):
            eventually(partial(says, lab, waits, *words), within=PATIENCE)
        slurm.say("scontrol", "update", "partitionname=test", "state=up")
        lab.wtwatch("queue", "wait", code=0)


def noted(folder: Path, *names: str) -> dict[str, Path]:
    """Put programs of the same names before those on PATH, which note in a file each when they began."""
    folder.mkdir()
    files = {}
    for name in names:
        files[name] = folder / f"{name}.calls"
        real = shutil.which(name)
        program = folder / name
        program.write_text(f'#!/bin/sh\ndate +%s.%N >> {quote(str(files[name]))}\nexec {real} "$@"\n')
        program.chmod(0o755)
    return files


def test_a_thousand_queued_jobs_do_not_flood_the_controller(
    slurm: Cluster, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=ON_SLURM, lanes=2)
    numbers = ",".join(map(str, range(1000)))
    lab.wtwatch("queue", "add", "--each", f"n={numbers}", "-o", "out.{n}", "--", "echo {n} > out.{n}")
    calls = noted(tmp_path / "before", "squeue", "sbatch")
    monkeypatch.setenv("PATH", f"{tmp_path / 'before'}:{os.environ['PATH']}")
    queue = Queue(lab.project().state)
    most = 0

    def some_ended() -> bool:
        nonlocal most
        most = max(most, len(queue.living()))
        return queue.counts().get("succeeded", 0) >= 9

    with lab.daemon():
        eventually(some_ended, within=PATIENCE)
        lab.wtwatch("queue", "pause")
        eventually(lambda: not queue.living(), within=PATIENCE)
    assert most == 2, "as many as there are lanes"
    ended = 1000 - queue.counts()["waiting"]
    assert len(calls["sbatch"].read_text().splitlines()) == ended
    asked = [float(line) for line in calls["squeue"].read_text().splitlines()]
    assert len(asked) >= 2
    assert min(later - sooner for sooner, later in pairwise(asked)) > 4.9, "seconds; one look is for all"


def test_a_controller_that_is_down_for_a_minute_costs_no_job_anything_but_time(
    slurm: Cluster, lab: Lab
) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=ON_SLURM, lanes=2)
    gate = lab.gate()
    with lab.daemon():
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD", "Saline"], options=gate.words)
        lab.queue_plots("--now", subjects=SUBJECTS[1:2], drugs=["LSD"])
        eventually(lambda: states(lab) == ["running", "running", "waiting"], within=PATIENCE)
        eventually(gate.reached, within=PATIENCE)
        eventually(slurm.has_saved, within=PATIENCE)  # else it gives out their numbers once more
        slurm.kill("slurmctld")
        began = time.monotonic()
        silent = "not known: Slurm does not answer"
        eventually(lambda: said(lab, "status").count(silent) == 2, within=PATIENCE)
        assert said(lab, "queue", "list").count(silent) == 2
        gate.open()
        eventually(lambda: states(lab) == ["succeeded", "succeeded", "waiting"], within=PATIENCE)
        eventually(lambda: says(lab, "Slurm does not answer", "status"), within=PATIENCE)
        eventually(lambda: time.monotonic() - began > 60, within=PATIENCE)
        assert states(lab) == ["succeeded", "succeeded", "waiting"]
        slurm.start("slurmctld")
        over = ["succeeded"] * 3  # a node that Slurm took out meanwhile is brought back, as administrators do
        eventually(lambda: slurm.is_up() and states(lab) == over, within=PATIENCE)
    assert [job["attempt"] for job in lab.jobs()] == [1, 1, 1]
    assert len(results(lab, lab.run)) == 3 and is_clean(lab, lab.run)


def test_a_partition_that_is_not_there_fails_each_job_once_in_the_words_of_slurm(
    slurm: Cluster, lab: Lab
) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, executor=(("kind", "slurm"), ("partition", "nowhere")))
    with lab.daemon():
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD", "Saline"])
        lab.wtwatch("queue", "wait", code=1)
    assert states(lab) == ["failed"] * 2
    assert "invalid partition specified: nowhere" in lab.wtwatch("queue", "show", "1", code=(0, 1)).out
    assert [job["attempt"] for job in lab.jobs()] == [1, 1]
