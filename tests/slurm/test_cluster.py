"""The Slurm of the tests themselves: another host, as far as processes can tell, of which nothing stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.slurm.cluster import NODE, PATIENCE, Cluster, cluster, free_ports, missing, processes_of

pytestmark = pytest.mark.slow


def test_a_job_runs_on_another_host_whose_pids_are_not_ours(slurm: Cluster, tmp_path: Path) -> None:
    said = tmp_path / "said"
    work = "hostname; readlink /proc/self/ns/pid; exit 3"
    number = slurm.say("sbatch", "--wait", "--parsable", f"--output={said}", "--wrap", work, check=False)
    host, pids = said.read_text().split()
    assert host == NODE != os.uname().nodename
    assert pids != str(Path("/proc/self/ns/pid").readlink())
    ask = ("sacct", "-nXP", f"--jobs={number}", "--format=state,exitcode")
    eventually(lambda: slurm.say(*ask) == "FAILED|3:0", within=PATIENCE)  # accounting hears of it later


def test_a_cluster_whose_port_is_taken_meanwhile_comes_up_at_another() -> None:
    if missing() and "CI" not in os.environ:
        pytest.skip("no Slurm here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        mine = taken.getsockname()[1]
        tried: list[list[int]] = []

        def ports(number: int) -> list[int]:
            tried.append(free_ports(number))
            return tried[-1] if len(tried) > 1 else [*tried[-1][:-1], mine]

        with cluster(ports=ports) as made:
            assert len(tried) == 2 and mine not in made.ports.values()
            assert made.is_up()


def test_nothing_of_a_cluster_outlives_whoever_started_it() -> None:
    if missing() and "CI" not in os.environ:
        pytest.skip("no Slurm here")
    code = (
        "from tests.slurm.cluster import cluster\nwith cluster() as made:\n"
        " made.say('sbatch', '--output=/dev/null', '--wrap', 'sleep 600')\n"
        " print(made.folder, made.first, flush=True); input()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None and starter.stdin is not None
    folder, first = starter.stdout.readline().split()
    eventually(lambda: "slurm_script" in processes_of(int(first)).values(), within=PATIENCE)
    all_of_it = processes_of(int(first))
    assert {"slurmctld", "slurmd", "mariadbd", "munged"} <= {*all_of_it.values()}
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdin.close()
    starter.stdout.close()
    eventually(lambda: not any(one.is_running() for one in all_of_it))
    subprocess.run(["rm", "-rf", folder], check=True)
