"""A disk that is full when a job ends: how it ended is told, nothing is lost, and it heals with room."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeLab, Say
from tests.full_disk import fill, kept_full, mounted
from tests.lab import Lab, eventually
from tests.proofs.test_kills_of_jobs import (
    INSIDE,
    ONLY_LOOK,
    WORK,
    assert_clean,
    ended,
    left_by,
    queued,
    started,
)
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import tick
from wtwatch.views import attention, quick
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, Outcome, now


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
    without_paths = re.sub(r"/\S+", "", said or "")
    return any(word in without_paths for word in ("No space left", "disk", "room"))


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


ROOMS = (0, 4, 16, 64, 256)
"""KiB that are left on a disk."""


def at_its_end(lab: Lab, project: Project, command: str, plain: bool = False) -> tuple[Job, Folder, Path]:
    """Start a job, ``{}`` in whose command waits; return it when it does, and what to rename to ``gate``."""
    gate = lab.gate(secrets.token_hex(4))
    reached = shlex.quote(str(gate.file.with_name(gate.file.name + ".reached")))
    waits = f"touch {reached}; until [ -e {shlex.quote(str(gate.file))} ]; do sleep 0.02; done"
    job = queued(project, command.format(waits), ("out.txt",), plain)
    folder = started(project, job)
    eventually(gate.reached)
    gate.file.with_name("opener").touch()
    return job, folder, gate.file


def go_on(gate: Path) -> None:
    gate.with_name("opener").rename(gate)  # which needs no room


def have_git_sure(lab: Lab) -> None:
    """Have git be sure that no file of the run tree was edited."""
    for tree in (lab.run, lab.run / INSIDE):
        for path in lab.git("ls-files", cwd=tree).splitlines():
            os.utime(tree / path, (10**9, 10**9), follow_symlinks=False)
        lab.git("update-index", "-q", "--refresh", cwd=tree)


def have_git_ask(lab: Lab) -> None:
    """Have git not be sure, so that it asks git-annex, which wants room, and tries for long to get some.

    Of files whose names begin with a dot git does not ask that (`.* !filter` of git-annex).
    """
    for tree in (lab.run, lab.run / INSIDE):
        (tree / ".datalad" / "config").touch()


def status_says(project: Project) -> str:
    return " ".join(attention.reasons(quick.collect([project]), now()))


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True])
def test_how_a_job_failed_is_told_and_cleared_up_while_the_disk_is_full(
    lab: Lab, project: Project, small_disk: Path, plain: bool
) -> None:
    code, cleared = lab.commit("HEAD", lab.run_code), 0
    have_git_sure(lab)
    for room in ROOMS:
        job, folder, gate = at_its_end(lab, project, "echo half > out.txt; {}; exit 3", plain)
        ballast = fill(small_disk, room)
        go_on(gate)
        eventually(folder.result, within=60)
        assert room > 64 or "is full" in status_says(project)  # what was reserved for its end is free again
        said = told(project, job)
        assert said == "all" or names_the_disk(said), (room, said)
        if said == "all":
            cleared += 1
            assert not (lab.run / "out.txt").exists()
            assert left_by(project, job) == {"out.txt": "half\n"}
        ballast.unlink()
        state = ended(project, job)
        assert state.outcome is Outcome.FAILED
        assert state.exit == 3 or names_the_disk(state.detail), (room, state)
        assert_clean(lab, code)
        assert left_by(project, job) == {"out.txt": "half\n"}
        assert "is full" not in status_says(project)
    assert cleared, "else nothing was done on a full disk"


@pytest.mark.slow
def test_a_job_whose_end_waits_for_room_is_told_of_and_ends_as_it_did_when_there_is_some(
    lab: Lab, project: Project, small_disk: Path
) -> None:
    assert_end_waits_for_room(lab, project, small_disk)


@pytest.mark.slow
def test_a_jobs_end_waits_for_room_on_the_disk_of_the_repository_too(
    lab: Lab, say: Say, small_disk: Path
) -> None:
    with mounted(lab.run, 50):
        say(lab.main, "init")
        project = read_project(lab.project().state / "config.toml")._replace(settle=0.0)
        assert_end_waits_for_room(lab, project, small_disk)


def assert_end_waits_for_room(lab: Lab, project: Project, small_disk: Path) -> None:
    job, folder, gate = at_its_end(lab, project, "echo whole > out.txt; {}", plain=True)
    have_git_ask(lab)  # the start of the job may have made it sure
    with kept_full(small_disk):
        go_on(gate)
        eventually(folder.command, within=60)
        for _ in range(5):
            assert told(project, job) is None and folder.result() is None
            assert "is full" in status_says(project)
    state = ended(project, job)
    assert (state.outcome, state.exit) == (Outcome.SUCCEEDED, 0)
    assert (lab.run / "out.txt").read_text() == "whole\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["echo half > out.txt; {}; exit 3", "echo whole > out.txt; {}"])
def test_a_job_that_ends_on_a_full_disk_is_told_and_cleared_up_when_there_is_room(
    lab: Lab, project: Project, small_disk: Path, command: str
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    for room in ROOMS:
        job, folder, gate = at_its_end(lab, project, command)
        base = lab.commit("HEAD", lab.run)
        ballast = fill(small_disk, room)
        go_on(gate)
        # git-annex waits for room by itself, and would wait for as long as there is none
        eventually(lambda at=folder: at.result() or "Command exit" in at.log.read_text(), within=60)  # type: ignore[misc]
        for _ in range(5):
            said = told(project, job)
            assert said in (None, "all") or names_the_disk(said), said
            assert room > 64 or "is full" in status_says(project)
        ballast.unlink()
        state = ended(project, job)
        assert_clean(lab, code)
        if "exit 3" in command:
            assert state.outcome is Outcome.FAILED
            assert left_by(project, job) == {"out.txt": "half\n"}
        elif state.outcome is Outcome.FAILED:  # there was no room for DataLad's commit
            assert names_the_disk(state.detail) and lab.commit("HEAD", lab.run) == base
            assert left_by(project, job) == {"out.txt": "whole\n"}
        else:
            assert state.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED)
            assert (lab.run / "out.txt").read_text() == "whole\n"
