"""A subdataset a subject, six hundred of them, with as few open files as a session usually has."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab import Lab, running_daemon

SUBJECTS = 600
OPEN_FILES = 1024
AT_ONCE = 16
LONG = 1800.0
"""Seconds that a command may take here on a machine that is busy with other things."""

EACH = 'for at in subj/*; do echo done > $at/out; git -C $at add out; git -C $at commit -q -m "$at"; done'


class Census:
    """Counts, as long as it is open, how many children a process below this one has at most."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._counter = threading.Thread(target=self._count)

    def __enter__(self) -> Census:
        self._counter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._counter.join()

    def _count(self) -> None:
        while not self._over.wait(0.02):
            known = [pid for child in children(os.getpid()) for pid in (child, *children(child))]
            self.most = max([self.most, *(len(children(pid)) for pid in known)])


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, those of its threads too."""
    found: list[int] = []
    with suppress(OSError):  # it ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def with_subjects(lab: Lab) -> None:
    """Give the main tree its subdatasets, all alike, as `git clone` does: without a word of DataLad's."""
    pattern = lab.root / "pattern"
    lab.git("init", "-q", str(pattern), cwd=lab.root)
    (pattern / "in").write_text("1\n")
    lab.git("add", "in", cwd=pattern)
    lab.git("commit", "-q", "-m", "first", cwd=pattern)
    names = [f"subj/{number:03}" for number in range(SUBJECTS)]
    for name in names:
        shutil.copytree(pattern, lab.main / name)
    with (lab.main / ".gitmodules").open("a") as modules:
        modules.writelines(f'[submodule "{name}"]\n\tpath = {name}\n\turl = ./{name}\n' for name in names)
    commit = lab.git("rev-parse", "HEAD", cwd=pattern)
    links = "".join(f"160000 {commit}\t{name}\n" for name in names)
    lab.say("git", "update-index", "--add", "--index-info", stdin=links)
    lab.git("add", ".gitmodules")
    lab.git("commit", "-q", "-m", "subjects")


def wtwatch(lab: Lab, *words: str) -> str:
    """Run a command line, which may take its time; return what it printed."""
    line = [sys.executable, "-P", "-m", "wtwatch", *words]
    done = subprocess.run(line, cwd=lab.main, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """Let this process, and all that it starts, have a usual number of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("few_open_files")
def test_six_hundred_subdatasets_are_set_up_written_to_by_a_job_and_brought_home(lab: Lab) -> None:
    with_subjects(lab)
    with Census() as census:
        wtwatch(lab, "init")
        assert (lab.run / f"subj/{SUBJECTS - 1:03}/in").read_text() == "1\n"
        with running_daemon(lab.root):
            wtwatch(lab, "queue", "add", "--plain", "--", f"{EACH}; git commit -qam results")
            wtwatch(lab, "queue", "wait")
        wtwatch(lab, "merge")
    for number in (0, SUBJECTS - 1):
        assert (lab.main / f"subj/{number:03}/out").read_text() == "done\n"
    assert lab.git("status", "--porcelain") == "" and census.most <= AT_ONCE
    assert "all in the main tree" in wtwatch(lab, "status")
