"""What the stories find in repositories afterwards, read with git alone: the witness beside the tool."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import psutil

from tests.at_work import words_of
from tests.building import SUBJECTS
from tests.lab import FIGURE, Gate, Lab, eventually, plot
from wtwatch.project.config import read_project, write_project
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Sha

RECORD = ("=== Do not change lines below ===\n", "\n^^^ Do not change lines above ^^^")


@dataclass(frozen=True)
class Result:
    """One result commit: the code commit that the superdataset named when it ran, and DataLad's record."""

    commit: Sha
    ran_on: Sha
    record: dict[str, Any]


def results(lab: Lab, tree: Path | None = None) -> list[Result]:
    """Return the result commits of a tree's branch (default: the run tree's), oldest first."""
    tree = tree or lab.run
    commits = lab.git("rev-list", "--reverse", "--grep=DATALAD RUNCMD", "HEAD", cwd=tree).split()
    return [
        Result(Sha(commit), pointer(lab, f"{commit}^", tree), _record(lab, commit, tree))
        for commit in commits
    ]


def _record(lab: Lab, commit: str, tree: Path) -> dict[str, Any]:
    text = lab.git("log", "-1", "--format=%B", commit, cwd=tree)
    found: dict[str, Any] = json.loads(text.split(RECORD[0])[1].split(RECORD[1])[0])
    return found


def pointer(lab: Lab, revision: str = "HEAD", tree: Path | None = None) -> Sha:
    """Return the code commit that a superdataset's commit names."""
    return lab_sha(lab.git("rev-parse", f"{revision}:code", cwd=tree or lab.run))


def lab_sha(text: str) -> Sha:
    """Return a full commit id as such."""
    assert len(text) == 40, text
    return Sha(text)


def assert_results_name_what_ran(lab: Lab, tree: Path | None = None) -> list[Result]:
    """Check that each result's parent, its record, and wtwatch's own queue agree on the code; return them."""
    found = results(lab, tree)
    told = {commit: job["code"] for job in lab.jobs() for commit in job["commits"]}
    assert [result.commit for result in found] == [*told]
    for result in found:
        assert result.ran_on == told[result.commit] == result.record["wtwatch"]["code"]
    return found


def figure(lab: Lab, subject: str, drug: str, tree: Path | None = None) -> str:
    """Return a figure as it lies in a tree (default: the run tree); it says which version drew it."""
    return ((tree or lab.run) / FIGURE.format(subject=subject, drug=drug)).read_text()


def is_clean(lab: Lab, tree: Path) -> bool:
    """Return whether git finds nothing to save in a tree, subdatasets and untracked files included."""
    return lab.git("status", "--porcelain", "--untracked-files=all", cwd=tree) == ""


def set_settings(lab: Lab, name: str = "L5b", **settings: Any) -> None:
    """Change settings in the ``config.toml`` of a project."""
    file = lab.main / ".git" / "wtwatch" / name / "config.toml"
    write_project(read_project(file)._replace(**settings))


def states(lab: Lab, ids: Collection[int] = ()) -> list[str]:
    """Return in which states jobs are, all of them or some, in the order of their numbers."""
    jobs = sorted(lab.jobs(), key=lambda job: int(job["id"]))
    return [str(job["state"]) for job in jobs if not ids or job["id"] in ids]


def queue_plain(lab: Lab, *words: str, name: str = "plain", options: str = "", code: int = 0) -> Path:
    """Queue a quick job, without DataLad, that draws into a file outside all datasets; return the file."""
    drawn = lab.root / f"{name}.svg"
    source = f"inputs/L5b_2p/{SUBJECTS[0]}/LSD/data.bin"
    lab.wtwatch("queue", "add", *words, "--plain", "--", plot(source, quote(str(drawn)), options), code=code)
    return drawn


def version_of(drawn: Path) -> str:
    """Return the version of the code that drew a figure."""
    return drawn.read_text().split("<!-- ")[1].split(" -->")[0]


def follows(lab: Lab, tip: Sha) -> None:
    """Wait until the run tree is at ``tip`` and its superdataset says so; git is asked, which is quick."""
    eventually(lambda: pointer(lab) == tip)
    assert lab.commit("HEAD", lab.run_code) == tip


def ends(lab: Lab, *words: str) -> None:
    """Wait until all jobs are in these states, in the order of their numbers."""
    queue = Queue(lab.project().state)
    wanted = list(words)
    eventually(lambda: [job.word for job in sorted(queue.jobs(), key=lambda job: job.id)] == wanted)


def files_of_which_nobody_says_who_ends_them(lab: Lab) -> set[str]:
    """Return what lies in the project's state and is not named in CONTRIBUTING.md."""
    said = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    state = lab.project().state
    paths = (file.relative_to(state).as_posix() for file in state.rglob("*") if file.is_file())
    names = (re.sub(r"-\d{8}T\d+", "-*", re.sub(r"jobs/\d+\.\d+/", "", path)) for path in paths)
    whole = {name for name in names if f"`{name}`" not in said}  # a folder may have one row for all in it
    return {name for name in whole if f"`{name.partition('/')[0]}/`" not in said}


WARM = "wtwatch.job.warm"
"""What is on the command line of the process that starts jobs quickly, and of what it forks."""


def queue_gated(lab: Lab) -> list[Gate]:
    """Queue jobs each of which waits at a gate of its own."""
    gates = [lab.gate(f"gate{number}") for number in range(6)]
    for number, gate in enumerate(gates):
        queue_plain(lab, "--now", name=f"plain{number}", options=gate.words)
    return gates


def first_warm(lab: Lab, gates: list[Gate]) -> psutil.Process:
    """Let jobs go on until one runs that was forked; return its process."""
    for number, gate in enumerate(gates, 1):
        eventually(gate.reached)
        folder = lab.project().state / "jobs" / f"{number}.1"
        process = psutil.Process(json.loads((folder / "started").read_text())["pid"])
        if WARM in words_of(process):
            return process
        gate.open()
    raise AssertionError("no job was forked")
