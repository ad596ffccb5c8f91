"""(l) What it adds to a job that its declared inputs are held against `git annex drop` while it runs.

The job's process is forked from this one, which has loaded what jobs need, as under the daemon; from when it
is ordered to when it has ended. Beside it the same job with nothing held.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NoReturn
from unittest import mock

from tests.benchmarks.grounds import FILES_IN_A_FOLDER, Grounds, add_content
from tests.benchmarks.measure import Section, Way, compared, goal, interleaved, median
from wtwatch.doors import dataset
from wtwatch.doors.files import held
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle, wrapper
from wtwatch.job.attempt import LOCK, Folder
from wtwatch.job.executor import Handle
from wtwatch.job.here import Here
from wtwatch.job.holding import Inputs
from wtwatch.job.lifecycle import Ground
from wtwatch.job.starting import looked_at
from wtwatch.project.config import read_project
from wtwatch.project.tree import RunTree
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, now
from wtwatch.words.resources import Resources

HELD = "its inputs held"
FREE = "nothing held"

MOST = 20.0
"""Milliseconds that may be added to a job."""


class _Forking(Here):
    """Starts a job's process as a fork of this one, and waits for its end."""

    def __init__(self, holds: bool) -> None:
        super().__init__()
        self._holds = holds

    def submit(
        self, handle: Handle, command: Sequence[str], env: Mapping[str, str], where: Path, want: Resources
    ) -> Handle:
        child = os.fork()
        if not child:
            _become(handle.folder, env, where, self._holds)
        os.waitpid(child, 0)
        return handle


def _become(folder: Folder, env: Mapping[str, str], where: Path, holds: bool) -> NoReturn:
    """Be the process of a job, as one that is forked under the daemon."""
    os.setsid()
    log = os.open(folder.log, os.O_CREAT | os.O_WRONLY)
    for number in (1, 2):
        os.dup2(log, number)
    os.set_inheritable(int(env[LOCK]), True)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(where)
    dataset.read_settings()
    if not holds:
        for name in ("begin", "hold"):
            setattr(Inputs, name, lambda *_: None)
    wrapper.detached(folder, os.open(os.devnull, os.O_WRONLY))


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Run a job that needs some thousands of files, which are there."""
    sizes = {1000: 3} if quick else {1000: 21, 3000: 21, 5000: 21}
    dataset.load_beforehand()
    lab = grounds.lab("holding", max(sizes))
    add_content(lab)
    lab.wtwatch("init", "--name", "holding")
    tree = RunTree.of(read_project(lab.main / ".git" / "wtwatch" / "holding" / "config.toml"))
    return [_with(tree, files, rounds) for files, rounds in sizes.items()]


def _with(tree: RunTree, files: int, rounds: int) -> Section:
    declared = tuple(f"raw/session-{number:04}/*.bin" for number in range(files // FILES_IN_A_FOLDER))
    numbers = count(files * 1000)
    taken = interleaved({name: _job(tree, declared, numbers, name == HELD) for name in (HELD, FREE)}, rounds)
    added = median([one - other for one, other in zip(taken[HELD], taken[FREE], strict=True)])
    said = goal(f"≤ {MOST:.0f} ms more: {added:.0f} ms in the median of {rounds} pairs", added <= MOST)
    return Section(f"(l) a job with {files:,} annexed inputs", compared(taken, {HELD: [said]}))


def _job(tree: RunTree, declared: tuple[str, ...], numbers: count[int], holds: bool) -> Way:
    def job() -> float:
        one = Job(next(numbers), 1, 1, JobSpec("true", inputs=declared), now())
        code = Repo(tree.code_path).resolve("HEAD")
        assert code is not None
        demanded = lifecycle.demands(tree, one.spec, code)
        with held(tree.lock, wait=60) as lock, mock.patch.object(lifecycle, "HERE", _Forking(holds)):
            look, found = looked_at(tree, demanded)
            base = head_of(Repo(tree.path))
            assert not found and base is not None, found
            begin = time.perf_counter()
            state = lifecycle.start(tree, one, demanded, Ground(base, lock, look))
            seconds = time.perf_counter() - begin
            end = lifecycle.end_of(tree, one._replace(state=state), cancelled=False)
        folder = Folder.of(tree.project.state, one.id, 1)
        said = folder.log.read_text()
        if not isinstance(end, Ended) or end.outcome is not Outcome.UNCHANGED or said:
            raise RuntimeError(f"The job did not go well: {end}\n{said}")
        shutil.rmtree(folder.path)
        return seconds

    return job
