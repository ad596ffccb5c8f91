"""A job that takes more time or memory than it asked for is ended, has failed, and says which it was."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bring.test_code_as_paths import run
from tests.job.bench import FIGURE_OF_LSD, Bench, over
from tests.lab import eventually
from tests.pathhouse import PathHouse
from wtwatch.doors import footprint
from wtwatch.doors.mounts import filesystem
from wtwatch.job.attempt import MARK, Folder
from wtwatch.job.ceilings import Ceilings
from wtwatch.words.model import Ended, JobSpec, Outcome
from wtwatch.words.resources import Resources

BIG = f'{shlex.quote(sys.executable)} -c \'x = bytearray(80 << 20); open("big", "w"); input()\' < pipe'
"""Takes 84 MB, says so, and waits."""


@pytest.fixture
def struck() -> Iterator[list[int]]:
    """Which signals came of ceilings that were reached."""
    came: list[int] = []
    before = signal.signal(Ceilings.SIGNAL, lambda number, _: came.append(number))
    yield came
    signal.signal(Ceilings.SIGNAL, before)


def test_a_ceiling_that_is_reached_is_told_once_and_none_after_the_end(struck: list[int]) -> None:
    reached = Ceilings(Resources(seconds=0, mem=1), lambda: [os.getpid()])
    reached.begin()
    eventually(lambda: struck)
    assert reached.why == "time limit of 0 s reached" and reached.are_open()
    reached.begin()
    reached.end()
    over_already = Ceilings(Resources(mem=1), lambda: [os.getpid()])
    over_already.end()
    over_already.begin()
    nothing_asked = Ceilings(Resources(cpus=2), lambda: [os.getpid()])
    nothing_asked.begin()
    nothing_asked.end()
    assert len(struck) == 1 and over_already.why is None and nothing_asked.why is None


def test_memory_that_processes_share_counts_once_and_that_of_files_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(64 << 20))
    text = (
        "import mmap, os, sys\n"
        "files = [os.open(file, os.O_RDONLY) for file in sys.argv[1:]]\n"
        "mapped = mmap.mmap(files[0], 0, prot=mmap.PROT_READ) if files else b''\n"
        "kept = bytearray(64 << 20), sum(mapped[::4096])\n"
        "child = os.fork() or sys.stdin.read()\n"
        "print(child, flush=True) if child else 0\n"
        "sys.stdin.read()\n"
    )
    is_memory = filesystem(tmp_path.stat().st_dev) in ("tmpfs", "ramfs")  # which counts, as what it is
    words = [sys.executable, "-c", text, *([] if is_memory else ["file"])]
    with subprocess.Popen(
        words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        both = [process.pid, int(process.stdout.readline())]
        most, exactly = footprint.at_most(both), footprint.exactly(both)
        process.stdin.close()
    assert 128 << 20 <= most < 192 << 20 and 64 << 20 <= exactly < 128 << 20


@pytest.mark.slow
def test_a_job_is_ended_when_its_time_is_up_and_the_next_one_runs(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    specs = [
        JobSpec("exec tail -f /dev/null", plain=True, seconds=1),
        JobSpec("true", plain=True, seconds=60),
    ]
    late, fine = run(house, *specs)
    assert isinstance(late.state, Ended) and late.state.outcome is Outcome.FAILED
    assert late.state.detail == "time limit of 1 s reached"
    assert fine.word == Outcome.SUCCEEDED.value


def test_a_job_that_takes_more_memory_than_it_asked_for_is_ended_with_what_it_had(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    (job,) = run(house, JobSpec(f"rm -f pipe; mkfifo pipe; sleep 99 > pipe & {BIG}", plain=True, mem=40))
    assert isinstance(job.state, Ended) and job.state.outcome is Outcome.FAILED
    assert str(job.state.detail).startswith("memory limit of 40 MB reached: it had ")


def test_threads_are_told_by_cpus_unless_somebody_said_so_otherwise(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, env=(("MKL_NUM_THREADS", "7"),), preamble="export OPENBLAS_NUM_THREADS=5")
    spec = JobSpec("env | grep _THREADS= | sort > seen", plain=True, cpus=2)
    (job,) = run(house, spec)
    assert (house.run / "seen").read_text().split() == [
        "MKL_NUM_THREADS=7", "OMP_NUM_THREADS=2", "OPENBLAS_NUM_THREADS=5"
    ]  # fmt: skip
    order = Folder.of(house.project.state, job.id, job.attempt).order()
    assert order is not None and order.wanted.cpus == 2


@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False])
def test_what_a_job_wrote_until_its_time_was_up_is_no_result(bench: Bench, fast: bool) -> None:
    bench.project = bench.project._replace(fast=fast)
    write = f"mkdir -p $(dirname {FIGURE_OF_LSD}); echo half > {FIGURE_OF_LSD}"
    command = f"{write}; trap 'exit 0' TERM; sleep 99 & wait"
    job = bench.do(command, outputs=(FIGURE_OF_LSD,), seconds=1)
    assert over(job).outcome is Outcome.FAILED and over(job).commits == ()
    assert over(job).detail == "time limit of 1 s reached"
    bench.tidy(job)
    assert bench.dirt() == ""
    assert "time limit" in bench.log(job)


@pytest.mark.slow
def test_a_job_is_told_which_graphics_cards_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    house = PathHouse(tmp_path)
    command = f"echo $CUDA_VISIBLE_DEVICES >> {tmp_path}/seen"
    _, job = run(house, *(JobSpec(command, plain=True, gpus=number) for number in (1, 2)))
    assert (tmp_path / "seen").read_text() == "4\n4,7\n"
    order = Folder.of(house.project.state, job.id, job.attempt).order()
    assert order is not None and order.allocated == (("CUDA_VISIBLE_DEVICES", "4,7"),)


@pytest.fixture
def mark() -> str:
    """What marks processes as those of an attempt, of one test alone: who ends one ends all that bear it."""
    return secrets.token_hex(8)


def test_who_started_a_job_is_not_ended_with_what_it_started(mark: str) -> None:
    text = (
        "import os, subprocess\n"
        "from wtwatch.job import wrapper\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    other = subprocess.Popen(['sleep', '99'])\n"
        f"    wrapper._end_others({mark!r})\n"
        "    os._exit(0 if other.wait() == -15 else 1)\n"
        "print('started', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=os.environ | {MARK: mark},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "started 0\n", done


@pytest.mark.parametrize(("code", "stopped"), [(-15, True), (0, False)])
def test_a_job_that_was_told_to_end_in_the_midst_of_a_destructor_was_told_so(
    code: int, stopped: bool, mark: str
) -> None:
    """Python drops what is raised in one (object.__del__), such as by a signal; what ended well did."""
    text = (
        "import os, signal\n"
        "from types import SimpleNamespace\n"
        "from wtwatch.job import wrapper\n"
        "from wtwatch.job.ways import Ran, RunResult\n"
        "class Told:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        for _ in range(9): pass\n"
        "def act():\n"
        "    Told()\n"
        f"    return Ran(RunResult({code}))\n"
        f"print(wrapper._guarded(SimpleNamespace(uuid={mark!r}), act)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout == f"{stopped}\n", done
