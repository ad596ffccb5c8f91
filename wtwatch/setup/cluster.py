"""Whether a cluster can do a project's jobs: its programs, what the settings name, and what its nodes see.

The last is tried with a job, which takes seconds where a node is free; one that waits long is taken back.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from wtwatch.doors import slurm
from wtwatch.doors.files import scratch_folder
from wtwatch.project.config import Project
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.setup import onnode
from wtwatch.setup.finding import Finding
from wtwatch.setup.onnode import COOKIE, Node
from wtwatch.words import executors
from wtwatch.words.errors import WtwatchError
from wtwatch.words.executors import Place

PATIENCE = 60.0
"""Seconds that a job which only looks may wait for a node."""

LATE = 10.0
"""Seconds after its end within which what a job wrote is to be seen here (nfs(5): acdirmax is 60 at most)."""

SKEW = 5.0
"""Seconds by which a node's clock may be off: build tools and git go by the times of files."""

_LIVING = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")


def findings(project: Project) -> Iterator[Finding]:
    """Look at the cluster that does a project's jobs, if one does."""
    place = executors.of(project.executor)
    if place.kind != "slurm":
        return
    missing = [name for name in slurm.PROGRAMS if shutil.which(name) is None]
    if missing:
        said = f"{', '.join(missing)}: not on PATH, so no job can be given to Slurm."
        way = "Use wtwatch on a login node; for a service: wtwatch service install, in a shell that has them."
        yield Finding("Slurm", False, said, way)
        return
    try:
        facts = slurm.configured()
        named = slurm.partitions()
    except WtwatchError as error:
        yield Finding("Slurm", False, f"It does not answer: {error.message}", "Jobs wait until it does.")
        return
    yield Finding(
        "Slurm", True, f"version {facts.get('SLURM_VERSION', '?')}, {facts.get('ClusterName', '?')}"
    )
    yield _accounting(facts)
    faults = [*_of_settings(place, named)]
    yield from faults
    if not faults:
        yield from _node(project, place)


def _accounting(facts: dict[str, str]) -> Finding:
    """Note where nobody knows of a job any more that ended some minutes ago."""
    kind, age = facts.get("AccountingStorageType", "?"), facts.get("MinJobAge", "?")
    if kind.endswith(("slurmdbd", "mysql")):
        return Finding("accounting", True, "why a job ended is known for long")
    said = f"there is none: why a job ended is known for {age} only"
    return Finding("accounting", True, said, "Nothing is lost by that, if the daemon runs; a reason may be.")


def _of_settings(place: Place, named: list[str]) -> Iterator[Finding]:
    """Look whether partition and account are there; where Slurm does not tell accounts, its word will do."""
    if place.partition and not {*place.partition.split(",")} <= {*named}:
        said = f"There is no partition {place.partition}; there are {', '.join(named)}."
        yield Finding(
            "partition", False, said, f"wtwatch config executor.partition {named[0] if named else ''}"
        )
    try:
        known = slurm.accounts() if place.account else []
    except WtwatchError:
        return
    if known and place.account not in known:
        said = f"You have no account {place.account}; you have {', '.join(known)}."
        yield Finding("account", False, said, f"wtwatch config executor.account {known[0]}")


def _node(project: Project, place: Place) -> Iterator[Finding]:
    """Have a node look at what it sees."""
    with scratch_folder("node-", project.state) as folder:
        (folder / COOKIE).write_text(str(uuid4()))
        began = time.time()
        try:
            found = _asked(project, place, folder)
        except WtwatchError as error:
            yield Finding("node", False, error.message, error.hint)
            return
        if isinstance(found, Finding):
            yield found
            return
        here = onnode.look(folder, project.run_tree)
    yield from judged(found, here, began, project.run_tree)


def _asked(project: Project, place: Place, folder: Path) -> Node | Finding:
    """Submit a job that looks; return what it found, or why nothing came of it."""
    number = _submitted(project, place, folder)
    try:
        state, over = "", None
        began = time.monotonic()
        while (found := onnode.answered(folder)) is None:
            one = next((job for job in slurm.listed() if job.id == number), None)
            state = one.state if one else "gone"
            if state == "PENDING" and time.monotonic() - began > PATIENCE:
                why = one.reason if one else ""
                said = f"no node was free within {PATIENCE:.0f} s ({why}), so none was tried"
                return Finding("node", True, said, "Try again when the cluster has room.")
            if state not in ("PENDING", *_LIVING):
                over = over or time.monotonic()
                if time.monotonic() - over > LATE:
                    return _silent(folder, project)
            time.sleep(0.5)
        return found
    finally:
        slurm.cancel([number], force=False)


def _submitted(project: Project, place: Place, folder: Path) -> str:
    options = ["--job-name=wtwatch-doctor", "--no-requeue", "--ntasks=1", "--time=2", "--export=ALL"]
    options += ["--chdir=/", f"--output={str(folder).replace('%', '%%')}/log"]
    options += [f"--partition={place.partition}"] if place.partition else []
    options += [f"--account={place.account}"] if place.account else []
    words = [sys.executable, "-P", "-m", "wtwatch.setup.onnode", str(folder), str(project.run_tree)]
    script = f"#!/bin/bash\n{place.setup or ':'}\nexec {shlex.join(words)}\n"
    return slurm.submit([*options, *place.options], script, for_jobs(RunTree.of(project)))


def _silent(folder: Path, project: Project) -> Finding:
    """Return why a job that is over has left no answer: its last words, or that it sees no folder of ours."""
    log = folder / "log"
    said = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    if said:
        way = (
            f"Python ({sys.executable}) and wtwatch have to be seen from nodes; wtwatch config executor.setup"
        )
        return Finding("node", False, f"A job could not look there: {said[-1]}", way)
    told = f"A job ended without a word, so its node does not see {project.state}."
    return Finding(
        "node", False, told, "Main tree and run tree have to lie on a disk that nodes see, at one path."
    )


def judged(node: Node, here: Node, began: float, run_tree: Path) -> Iterator[Finding]:
    """Judge what a node found, beside what is found here afterwards; ``began`` is when it was asked."""
    if node.cookie != here.cookie:
        yield Finding(
            "node", False, f"{node.host} sees another folder at our path.", "Mount the same disk there."
        )
        return
    if not node.sees_tree:
        said = f"{node.host} does not see the run tree {run_tree}."
        yield Finding("node", False, said, "It has to lie on a disk that nodes see, at the same path.")
        return
    off = max(began - node.clock, node.clock - here.clock, 0.0)
    if off > SKEW:
        said = f"The clock of {node.host} is off by {off:.0f} s."
        yield Finding("clock", False, said, "Whoever runs the cluster sets it (chrony, ntpd).")
    lacking = [name for name in ("git", "git_annex") if not getattr(node, name)]
    if lacking:
        said = f"{node.host} has no {' and no '.join(lacking).replace('_', '-')}."
        yield Finding("node", False, said, "wtwatch config executor.setup 'module load git git-annex'")
        return
    differ = [
        f"{name.replace('_', '-')} {getattr(node, name)} (here {getattr(here, name)})"
        for name in ("python", "wtwatch", "git", "git_annex")
        if getattr(node, name) != getattr(here, name)
    ]
    if differ:
        yield Finding("node", True, f"{node.host} has {', '.join(differ)}", "It works, if both do.")
    else:
        yield Finding("node", True, f"{node.host} sees both trees, and has the same programs")
