"""What is durable on disk before what, as the kernel was asked: read off strace(1)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.job.bench import Bench
from tests.lab import Lab
from tests.proofs.nursery import ROOT
from tests.proofs.test_kills_of_moves import TICK, ready_to_move
from wtwatch.project.config import write_project
from wtwatch.project.jobenv import for_jobs
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, JobSpec, Running, Trigger

LOOK = """\
import sys
from pathlib import Path
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
tick(read_project(Path(sys.argv[1])), TickOptions(patience=20.0))
"""

TRACED = "fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat,openat"

_CALL = re.compile(r"\d+\s+(\w+)\((.*)\)\s+= \d+")
_HANDLE = re.compile(r"(?:\d+|AT_FDCWD)<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    """One call of the kernel that went well: its name, the paths it was about, its other words."""

    name: str
    paths: tuple[str, ...]
    words: str

    @property
    def writes(self) -> bool:
        """It changes what it is about."""
        return self.name != "openat" or any(flag in self.words for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))


def traced(output: Path, command: Sequence[str], cwd: Path, env: dict[str, str]) -> list[Call]:
    """Run a command and return what it and all that it starts asked of the kernel, in order."""
    strace = shutil.which("strace")
    assert strace, "strace is needed for this proof (on Debian: apt-get install strace)"
    words = [strace, "-f", "-y", "-s", "4096", "-o", str(output), "-e", f"trace={TRACED}", *command]
    subprocess.run(words, cwd=cwd, env=env, check=True, capture_output=True, timeout=120)
    return [call for line in _whole(output.read_text().splitlines()) if (call := _read(line))]


def _whole(lines: Sequence[str]) -> list[str]:
    """Join the calls that another process came in between of, where they ended."""
    begun: dict[str, str] = {}
    whole = []
    for line in lines:
        pid = line.split(maxsplit=1)[0]
        if line.endswith("<unfinished ...>"):
            begun[pid] = line.removesuffix("<unfinished ...>").rstrip()
        elif "resumed>" in line and pid in begun:
            whole.append(begun.pop(pid) + line.split("resumed>", 1)[1])
        else:
            whole.append(line)
    return whole


def _read(line: str) -> Call | None:
    found = _CALL.match(line)
    if found is None:
        return None
    folders = _HANDLE.findall(found[2])
    names = [os.fsdecode(name.encode("latin-1").decode("unicode_escape")) for name in _TEXT.findall(found[2])]
    if not names:  # fsync
        return Call(found[1], tuple(folders), found[2])
    bases = [*folders, *[folders[-1] if folders else "/"] * len(names)]
    paths = tuple(
        os.path.join(base, name)  # noqa: PTH118 - as the kernel does
        for base, name in zip(bases, names, strict=False)
    )
    return Call(found[1], paths, found[2])


def first(calls: Sequence[Call], holds: Callable[[Call], bool]) -> int:
    """Return the place of the first call of which this holds."""
    place = next((number for number, call in enumerate(calls) if holds(call)), None)
    assert place is not None, "there is no such call"
    return place


def durable(calls: Sequence[Call], file: Path) -> int:
    """Return the place from which on ``file`` outlives a power cut: it and its folder are synced."""
    put = first(calls, lambda call: call.name.startswith("rename") and call.paths[-1] == str(file))
    draft = calls[put].paths[0]
    synced = first(calls, lambda call: call.name in ("fsync", "fdatasync") and draft in call.paths)
    assert synced < put, f"{file} was put in place before it was on the disk"
    rest = first(calls[put:], lambda call: call.name == "fsync" and str(file.parent) in call.paths)
    return put + rest


@pytest.mark.slow
def test_a_moves_journal_and_backup_are_on_the_disk_before_the_first_file_is_touched(tmp_path: Path) -> None:
    house = ready_to_move(tmp_path / "house")
    root = house.project.main_tree.parent
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-P", "-c", TICK, str(root)]
    calls = traced(tmp_path / "trace", words, tmp_path, dict(env))
    inside = f"{house.code}/"

    def touches(call: Call) -> bool:
        return call.writes and any(path.startswith(inside) and "/.git" not in path for path in call.paths)

    def keeps(call: Call) -> bool:
        return call.name.startswith("rename") and house.tree.backup_prefix in call.paths[-1]

    touched = first(calls, touches)
    assert durable(calls, house.project.state / "journal") < touched
    kept = first(calls, keeps)
    assert kept + first(calls[kept:], lambda call: call.name == "syncfs") < touched
    assert house.head() == house.head(house.project.main_code)


@pytest.mark.slow
def test_each_step_of_a_job_is_on_the_disk_before_the_next_begins(bench: Bench, tmp_path: Path) -> None:
    job = bench.do("true", plain=True)
    folder = bench.folder(job).path
    steps = ("started", "before", "command", "after", "verified", "outcome")
    for name in steps:
        (folder / name).unlink()
    words = [sys.executable, "-P", "-m", "wtwatch.job.wrapper", str(folder)]
    calls = traced(tmp_path / "trace", words, bench.tree, for_jobs(bench.place))
    places = [durable(calls, folder / name) for name in steps]
    assert places == sorted(places)
    ran = subprocess.run(["grep", "-c", "exited with 0", tmp_path / "trace"], check=True, capture_output=True)
    assert int(ran.stdout) > 1


@pytest.mark.slow
def test_an_outcome_is_on_the_disk_before_the_queue_says_so(bench: Bench, tmp_path: Path) -> None:
    queue, code_sha = Queue(bench.project.state), bench.demands(bench.job("true")).code_sha
    write_project(bench.project)
    (job,) = queue.add([JobSpec("true", plain=True)], Trigger.NOW, code_sha)
    running = bench.start(job)
    assert isinstance(running.state, Running)
    queue.begin(job.id, running.state)
    bench.end(running)
    words = [sys.executable, "-P", "-c", LOOK, str(bench.project.state / "config.toml")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    calls = traced(tmp_path / "trace", words, tmp_path, dict(env))
    told = first(calls, lambda call: call.writes and f"{queue.file}-journal" in call.paths)
    folder = str(bench.folder(job).path)
    assert first(calls, lambda call: call.name == "fsync" and folder in call.paths) < told
    assert isinstance(queue.job(job.id).state, Ended)


@pytest.fixture
def bench(make_lab: Callable[..., Lab]) -> Bench:
    """As the tests of jobs have it."""
    lab = make_lab("git")
    lab.move_bookmark()
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run / "inputs/L5b_2p"), cwd=lab.inputs)
    lab.git("worktree", "add", "--quiet", "--detach", str(lab.run_code), "runs", cwd=lab.code)
    lab.project().state.mkdir(parents=True)
    return Bench(lab, lab.project())
