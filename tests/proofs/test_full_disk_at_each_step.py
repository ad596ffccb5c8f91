"""A disk that fills up at each step of a job's own process, and of clearing up behind it.

It is recovered like a crash: nothing is lost, how the job ended is told, it heals with room, and meanwhile
`status` names the disk.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.lab import Lab, eventually
from tests.proofs.killing import python, ticked, until
from tests.proofs.nursery import ROOT
from tests.proofs.steps import at_each, has_come_to
from tests.proofs.test_full_disk import (
    lab,
    names_the_disk,
    small_disk,
    status_says,
    told,
)
from tests.proofs.test_kills_of_jobs import (
    FAILS,
    INSIDE,
    WORK,
    assert_clean,
    edit_is_kept,
    left_by,
    project,
    queued,
    started,
)
from wtwatch.doors.clock import instant
from wtwatch.doors.processes import is_alive
from wtwatch.doors.traces import is_full
from wtwatch.job import lifecycle, starting
from wtwatch.job.attempt import Folder
from wtwatch.job.executor import Handle
from wtwatch.job.here import Here
from wtwatch.project.config import Project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import tick
from wtwatch.views import quick
from wtwatch.views.as_json import document
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, Outcome
from wtwatch.words.resources import Resources

__all__ = ["lab", "project", "small_disk"]

needs_root = pytest.mark.needs_root("mount a disk")

STRIKE = """\
import sys
from pathlib import Path
from tests.full_disk import fill
from tests.proofs.steps import watch
disk, step, names = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
watch(step, names, lambda: fill(disk, 0))
"""

WRAPPER = f"""{STRIKE}
from wtwatch.job import wrapper
sys.exit(wrapper.main(sys.argv[4:]))
"""

CLEAR = f"""{STRIKE}
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.errors import WtwatchError
try:
    said = tick(read_project(Path(sys.argv[4])), TickOptions(patience=20.0)).waits or "all"
except (WtwatchError, OSError) as error:
    said = str(error)
Path(sys.argv[5]).write_text(said)
"""


class Struck(Here):
    """Starts a job's process so that the disk fills up directly before one of its steps."""

    def __init__(self, disk: Path, step: str, names: Path) -> None:
        super().__init__()
        self._words = (str(disk), step, str(names))

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        struck = [sys.executable, "-P", "-X", "pycache_prefix=", "-c", WRAPPER, *self._words, *command[-2:]]
        return super().submit(handle, struck, {**env, "PYTHONPATH": str(ROOT)}, where, want)


def ballast_of(disk: Path) -> Path:
    return disk / "ballast"


def struck(disk: Path, step: str, names: Path, is_over: Callable[[], bool]) -> bool:
    """Wait until the disk is full, which takes a moment; ``False`` if all was over without that step."""

    def ended_without() -> bool:
        return is_over() and not has_come_to(step, names)

    eventually(lambda: is_full(disk) or ended_without())
    return has_come_to(step, names)


def assert_said_and_seen(project: Project, job: Job) -> None:
    """While the disk is full, ticks do what they can, or name it; status names it in both its forms."""
    for _ in range(3):
        said = told(project, job)
        assert said in (None, "all") or names_the_disk(said), said
    assert "is full" in status_says(project)
    [seen] = document(quick.collect([project]))["projects"]
    assert seen["full_disk"]


def over(project: Project, job: Job) -> Ended | None:
    """Tick, starting the job if it did not begin; return how it ended, once it is cleared up behind it."""
    ticked(project, WORK)
    queue = Queue(project.state)
    state = queue.job(job.id).state
    return state if isinstance(state, Ended) and queue.uncleared() is None else None


@needs_root
@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("command", ["true", "echo half > out.txt; exit 3", "echo whole > out.txt"])
def test_a_disk_that_fills_up_at_any_step_of_a_job_leaves_its_outcome_right(
    lab: Lab, project: Project, small_disk: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    plain = "whole" not in command  # else DataLad saves what it makes
    code, base = lab.commit("HEAD", lab.run_code), lab.commit("HEAD", lab.run)
    if not plain:  # what DataLad does but once, such as making its cache, is done
        first = queued(project, "true", ())
        eventually(lambda: over(project, first), within=60)
    job, ballast = queued(project, command, ("out.txt",), plain), ballast_of(small_disk)
    folder = Folder.of(project.state, job.id, job.attempt)

    def run(step: str, names: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(lifecycle, "HERE", Struck(small_disk, step, names))
            if plain:  # its process looks at the tree itself, as where it was not there at once
                patch.setattr(starting, "instant", lambda: instant()._replace(seconds=0.0))
            try:
                said = tick(project, WORK).waits
            except (WtwatchError, OSError) as error:
                said = str(error)
        if not (step and struck(small_disk, step, names, lambda: folder.result() is not None)):
            eventually(lambda: over(project, job), within=60)  # it runs where all is laid out anew next
            eventually(lambda: (process := folder.started()) is None or not is_alive(process))
            return
        assert said is None or names_the_disk(said), said
        until(lambda: folder.result() is not None, within=2)
        assert_said_and_seen(project, job)
        ballast.unlink()

    steps: list[str] = []
    parts = 1 if plain else 4  # of a hundred most are DataLad's
    part = int.from_bytes(os.urandom(4)) % parts
    for step in at_each(lab.root, small_disk.parent, run, part, parts):
        state = eventually(lambda: over(project, job), within=60)
        assert state is not None
        assert_clean(lab, code)
        head, left = lab.commit("HEAD", lab.run), left_by(project, job)
        if command == "true":
            assert (state.outcome, state.exit) == (Outcome.SUCCEEDED, 0), state
        elif plain:
            assert (state.outcome, state.exit) == (Outcome.FAILED, 3), state
            assert left["out.txt"] in ("half\n", "")
        elif state.outcome is Outcome.SUCCEEDED:
            assert state.commits == (head,) and lab.commit("HEAD^", lab.run) == base
            assert (lab.run / "out.txt").read_text() == "whole\n"
        else:
            assert state.outcome is Outcome.FAILED and head == base
            assert state.exit or names_the_disk(state.detail), state
            assert left.get("out.txt", "") in ("whole\n", "")
        steps.append(step)
    for name in ("started", "before", "command", "after", "verified", "outcome") if plain else ():
        assert any(name in step for step in steps), (name, steps)


@needs_root
@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_a_disk_that_fills_up_at_any_step_of_clearing_up_loses_nothing(
    lab: Lab, project: Project, small_disk: Path, tmp_path: Path, part: int
) -> None:
    code = lab.commit("HEAD", lab.run_code)
    job, ballast = queued(project, FAILS, ("declared",)), ballast_of(small_disk)
    eventually(started(project, job).result, within=60)

    def run(step: str, names: Path) -> None:
        said = tmp_path / "said"
        words = (str(small_disk), step, str(names), str(project.state / "config.toml"), str(said))
        with python(CLEAR, *words) as process:
            full = bool(step) and struck(small_disk, step, names, lambda: process.poll() is not None)
            until(lambda: process.poll() is not None, within=3 if full else 60)
            waited = process.poll() is None  # git-annex waits for room, without a word
            assert ballast.exists() == full
            if full:  # a slow one may have made some room by now
                eventually(lambda: not is_full(small_disk) or "is full" in status_says(project))
                assert waited or is_full(small_disk)
                ballast.unlink()
            _, trouble = process.communicate(timeout=60)
        assert process.returncode == 0, trouble.decode()
        assert waited or said.read_text() == "all" or names_the_disk(said.read_text()), said.read_text()

    for _ in at_each(lab.root, tmp_path, run, part, 3):
        state = eventually(lambda: over(project, job), within=60)
        assert state is not None
        assert (state.outcome, state.exit) == (Outcome.FAILED, 3), state
        assert_clean(lab, code)
        stray = {f"{place}stray": "mine\n" for place in ("", "code/", f"{INSIDE}/")}
        assert left_by(project, job).items() >= (stray | {"declared": "half\n"}).items()
        assert edit_is_kept(lab, project), "the edit in code"
