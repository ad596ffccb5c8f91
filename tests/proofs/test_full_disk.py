"""A disk that is full when a job ends: how it ended is told, nothing is lost, and it heals with room."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeLab, Say
from tests.full_disk import fill, mounted
from tests.lab import Lab, eventually
from tests.proofs.test_kills_of_jobs import ONLY_LOOK, WORK, assert_clean, ended, left_by, queued, started
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import tick
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, Outcome


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a project and its run tree."""
    with mounted(tmp_path / "disk", 200) as disk:
        yield disk


@pytest.fixture
def lab(make_lab: MakeLab, small_disk: Path) -> Lab:
    """A lab on the small disk."""
    return make_lab("git", f"{small_disk.name}/lab")


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0)


def told(project: Project, job: Job) -> str | None:
    """Tick; return why that could not do all, "all" if the job is over and cleared up behind."""
    try:
        if waits := tick(project, ONLY_LOOK).waits:
            return waits
    except (WtwatchError, OSError) as error:
        return str(error)
    queue = Queue(project.state)
    return "all" if isinstance(queue.job(job.id).state, Ended) and queue.uncleared() is None else None


def names_the_disk(said: str | None) -> bool:
    return any(word in (said or "") for word in ("No space left", "disk", "room"))


@pytest.mark.slow
def test_a_job_that_cannot_start_on_a_full_disk_says_so_and_starts_when_there_is_room(
    lab: Lab, project: Project, small_disk: Path
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    hindered = 0
    for room in (0, 4, 8, 16, 32, 64, 128, 256, 512):
        job = queued(project, f"echo {room} > out.txt", ("out.txt",))
        base = lab.commit("HEAD", lab.run)
        ballast = fill(small_disk, room)
        try:
            done = tick(project, WORK)
            begun, said = done.started is not None, done.waits or ""
        except (WtwatchError, OSError) as error:
            begun, said = False, str(error)
        assert begun or names_the_disk(said), (room, said)
        hindered += not begun
        ballast.unlink()
        if not begun:
            assert lab.commit("HEAD", lab.run) == base
            started(project, job)
        state = ended(project, job)
        if state.outcome is not Outcome.SUCCEEDED:  # it began, and found no room for something
            assert state.detail or (project.state / "jobs" / f"{job.id}.1" / "log").exists()
        assert_clean(lab, code)
    assert hindered, "else it was never full"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["echo half > out.txt; {}; exit 3", "echo whole > out.txt; {}"])
def test_a_job_that_ends_on_a_full_disk_is_told_and_cleared_up_when_there_is_room(
    lab: Lab, project: Project, small_disk: Path, command: str
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    for number, room in enumerate((0, 4, 16, 64, 256)):
        gate = lab.gate(f"gate-{number}")
        reached = shlex.quote(str(gate.file.with_name(gate.file.name + ".reached")))
        waits = f"touch {reached}; until [ -e {shlex.quote(str(gate.file))} ]; do sleep 0.02; done"
        job = queued(project, command.format(waits), ("out.txt",))
        base = lab.commit("HEAD", lab.run)
        folder = started(project, job)
        eventually(gate.reached)
        gate.file.with_name("opener").touch()
        ballast = fill(small_disk, room)
        gate.file.with_name("opener").rename(gate.file)  # a rename needs no room
        # git-annex waits for room by itself, and would wait for as long as there is none
        eventually(lambda at=folder: at.result() or "Command exit" in at.log.read_text(), within=60)  # type: ignore[misc]
        for _ in range(5):
            said = told(project, job)
            assert said in (None, "all") or names_the_disk(said), said
        ballast.unlink()
        state = ended(project, job)
        assert_clean(lab, code)
        if "exit 3" in command:
            assert state.outcome is Outcome.FAILED
            assert left_by(project, job) == {"out.txt": "half\n"}
        elif state.outcome is Outcome.FAILED:  # there was no room for DataLad's commit
            assert state.detail and lab.commit("HEAD", lab.run) == base
            assert left_by(project, job) == {"out.txt": "whole\n"}
        else:
            assert state.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED)
            assert (lab.run / "out.txt").read_text() == "whole\n"
