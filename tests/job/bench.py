"""A run tree in which jobs are run one by one, as the daemon does it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import FIGURE, Gate, Lab, eventually
from wtwatch.doors.files import held
from wtwatch.doors.processes import Identity
from wtwatch.job import leftovers, lifecycle
from wtwatch.job.attempt import Folder
from wtwatch.job.leftovers import Left
from wtwatch.job.lifecycle import Ground, NotBegun
from wtwatch.job.readiness import Demands, hindrances
from wtwatch.project.config import Project
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.tree.states import Before
from wtwatch.words.model import Ended, Job, JobSpec, Running, Sha, now

TABLE = "04_dataframes/240226I/LSD/F.pkl"
"""An annexed file of the superdataset."""

RAW = "inputs/L5b_2p/240226I/LSD/data.bin"
"""An annexed file of a subdataset."""

FIGURE_OF_LSD = FIGURE.format(subject="240226I", drug="LSD")


@dataclass
class Bench:
    """A run tree in which jobs are run one by one, as the daemon does."""

    lab: Lab
    project: Project
    made: list[Job] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        return self.project.run_tree

    @property
    def place(self) -> RunTree:
        return RunTree.of(self.project)

    def job(self, command: str, **spec: Any) -> Job:
        return self.job_of(JobSpec(command, **spec))

    def job_of(self, spec: JobSpec) -> Job:
        self.made.append(Job(len(self.made) + 1, 1, 1, spec, now()))
        return self.made[-1]

    def hindrances(self, job: Job) -> list[str]:
        """What a look at the tree, made now, says against starting the job."""
        return hindrances(self.demands(job), Before.of(self.tree, excludes_env(self.place)))

    def demands(self, job: Job) -> Demands:
        code_sha = self.lab.commit("HEAD", self.project.run_code)
        return lifecycle.demands(self.place, job.spec, code_sha)

    def start(self, job: Job) -> Job:
        assert self.hindrances(job) == []
        return self.launch(job, self.demands(job))

    def launch(self, job: Job, demanded: Demands, wait: float = 60.0) -> Job:
        """Start a job whatever the tree looks like. The one before may hold it for a moment more."""
        with held(self.place.lock, wait) as lock:
            ground = Ground(self.head(), lock)
            return job._replace(state=lifecycle.start(self.place, job, demanded, ground))

    def end(self, job: Job, cancelled: bool = False) -> Ended | NotBegun:
        """Wait until an attempt is over."""
        found = eventually(lambda: lifecycle.end_of(self.place, job, cancelled), within=120)
        assert found is not None
        return found

    def wait(self, job: Job, cancelled: bool = False) -> Job:
        ended = self.end(job, cancelled)
        assert isinstance(ended, Ended), ended
        return job._replace(state=ended)

    def do(self, command: str, **spec: Any) -> Job:
        return self.wait(self.start(self.job(command, **spec)))

    def clear(self, job: Job) -> Left:
        """Clear up behind a job that ended, as a tick does."""
        folder = self.folder(job)
        after, code_sha = folder.after(), over(job).code_sha
        assert after is not None and code_sha is not None
        demanded = lifecycle.demands(self.place, job.spec, code_sha)
        with held(self.place.lock, wait=60):
            return leftovers.clear(self.place, folder, demanded, after)

    def tidy(self, job: Job) -> Path | None:
        return self.clear(job).place

    def head(self) -> Sha:
        return self.lab.commit("HEAD", self.tree)

    def dirt(self) -> str:
        """What git says of the whole run tree, as DataLad would look at it before a run."""
        return self.lab.git("status", "--porcelain", "-uall", "--ignore-submodules=none", cwd=self.tree)

    def log(self, job: Job) -> str:
        return lifecycle.log_file(self.place, job).read_text()

    def folder(self, job: Job) -> Folder:
        return Folder.of(self.project.state, job.id, job.attempt)

    def process(self, job: Job) -> Identity:
        started = self.folder(job).started()
        assert started is not None
        return started

    def gated(self, gate: Gate) -> str:
        """A command that waits at a gate."""
        reached = shlex.quote(str(gate.file.with_name(gate.file.name + ".reached")))
        return f"touch {reached}; until [ -e {shlex.quote(str(gate.file))} ]; do sleep 0.02; done"


def over(job: Job) -> Ended:
    assert isinstance(job.state, Ended)
    return job.state


def uuid(job: Job) -> str:
    assert isinstance(job.state, Running)
    return job.state.uuid


MakeBench = Callable[..., Bench]


def clone_of_tree(bench: Bench, name: str) -> Path:
    """Return a copy of the run tree as it is, in which the real datalad may run beside ours."""
    twin = bench.lab.root / name
    bench.lab.git("worktree", "add", "-q", "-b", name, str(twin), "HEAD", cwd=bench.tree)
    for path in ("inputs/L5b_2p", "code"):
        bench.lab.git("worktree", "add", "-q", "--detach", str(twin / path), "HEAD", cwd=bench.tree / path)
    return twin


def message(bench: Bench, tree: Path, without_ours: bool = False) -> str:
    text = bench.lab.git("log", "-1", "--format=%B", cwd=tree)
    if without_ours:
        text, removed = re.subn(r',\n "wtwatch": \{.*?^ \}', "", text, flags=re.DOTALL | re.MULTILINE)
        assert removed == 1
    return text


def files_of(bench: Bench, tree: Path) -> dict[str, str]:
    lines = bench.lab.git("ls-tree", "-r", "-z", "HEAD", cwd=tree).split("\0")
    return {line.split("\t")[1]: line.split("\t")[0] for line in lines if line}


def names_in(bench: Bench, commit: str) -> set[str]:
    listing = bench.lab.git("diff-tree", "-r", "-z", "--no-commit-id", "--name-only", commit, cwd=bench.tree)
    return set(filter(None, listing.split("\0")))


def texts_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def save_all(bench: Bench) -> None:
    bench.lab.git("add", "-A", cwd=bench.tree)
    bench.lab.git("commit", "-qm", "by hand", cwd=bench.tree)
