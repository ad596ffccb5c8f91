"""Many jobs, while controller and daemon are killed again and again: each has one end, which is so.

``WTWATCH_SLURM_JOBS`` and ``WTWATCH_SLURM_KILLS`` say how many of both; 200 and 5 take minutes. By default
they are as many as CI has the time for: a minute, most of which it waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.slurm.cluster import Cluster
from tests.slurm.driver import end_of, is_ended, newest
from tests.tally import Kills
from wtwatch.job.attempt import Folder
from wtwatch.job.slurm import name_of

pytestmark = pytest.mark.slow

LANES = 12
KILLS = int(os.environ.get("WTWATCH_SLURM_KILLS") or 2)
JOBS = int(os.environ.get("WTWATCH_SLURM_JOBS") or 4 * LANES * KILLS)  # a kill may end those of all lanes


def started(slurm: Cluster, top: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.slurm.driver", str(top), str(JOBS), str(LANES)]
    return subprocess.Popen(words, cwd=Path(__file__).parents[2], env={**os.environ, **slurm.env})


def test_no_job_runs_twice_or_is_credited_twice_whoever_is_killed(
    slurm: Cluster, tmp_path: Path, kills: Kills
) -> None:
    top = tmp_path / "attempts"
    top.mkdir()
    driver = started(slurm, top)
    try:
        for turn in kills.each(f"of controller and daemon with {JOBS} jobs", range(1, KILLS + 1)):
            wait_for_ends(slurm, top, turn * JOBS // (KILLS + 1))
            slurm.kill("slurmctld")
            driver.kill()
            driver.wait()
            driver = started(slurm, top)
            slurm.start("slurmctld")
            slurm.kill("slurmd")  # or the controller would believe in jobs of its last state for minutes
            slurm.start("slurmd")
        wait_for_ends(slurm, top, JOBS)
        assert driver.wait(60) == 0
    except BaseException:
        print(*told_of_open_ones(slurm, top), sep="\n")
        raise
    finally:
        driver.kill()
        driver.wait()
    told = Counter[str]()
    for job in range(1, JOBS + 1):
        paths = sorted(top.glob(f"{job}.*"), key=lambda path: int(path.suffix[1:]))
        attempts = [Folder(path) for path in paths]
        ends = [end_of(folder) for folder in attempts]
        runs = [count(folder) for folder in attempts]
        assert ends[:-1] == ["not begun"] * (len(ends) - 1) and ends[-1] != "not begun", (job, ends)
        assert sum(runs) <= 1, (job, runs)
        for folder, end, number in zip(attempts, ends, runs, strict=True):
            result = folder.result()
            if end == "succeeded":
                assert number == 1 and result is not None and result.exit == 0
            elif end == "not begun":
                assert number == 0
            else:
                assert result is None or result.exit != 0
        told.update(map(str, ends))
    print(f"{JOBS} jobs, {KILLS} kills of controller and daemon: {dict(told)}")
    assert told["succeeded"] >= JOBS * 3 // 4


def wait_for_ends(slurm: Cluster, top: Path, number: int) -> None:
    def are_there() -> bool:
        slurm.is_up()  # brings back a node that the controller took out, as administrators do
        return sum(is_ended(top, job) for job in range(1, JOBS + 1)) >= number

    eventually(are_there, within=200)


def told_of_open_ones(slurm: Cluster, top: Path) -> Iterator[str]:
    """Say how jobs without an end stand: in their folders, with the controller, in the accounting."""
    yield slurm.say("sinfo", "--Node", "--long", check=False)
    for job in (job for job in range(1, JOBS + 1) if not is_ended(top, job)):
        folder = newest(top, job)
        if folder is None:
            yield f"job {job}: no attempt"
            continue
        files = {file.name: file.read_text(errors="replace") for file in folder.path.iterdir()}
        yield f"{folder.path.name}: {files}"
        name = name_of(files.get("uuid", "none"))
        yield slurm.say("squeue", "--states=all", "--format=%A|%j|%T|%r|%N|%S", f"--name={name}", check=False)
        yield slurm.say("sacct", "-nXPD", f"--name={name}", "--format=jobid,state,exitcode", check=False)


def count(folder: Folder) -> int:
    runs = folder.path / "runs"
    return runs.read_text().count("run\n") if runs.exists() else 0
