"""Who is shown as busy: not what a look starts, nor a job at the moment in which it begins or ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wtwatch.doors.processes import describe
from wtwatch.views.holders import AtWork, holders
from wtwatch.words.model import Process, now


def alive(words: list[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("by_the_daemon", [False, True])
def test_a_git_that_this_look_or_the_daemon_started_is_not_shown(tmp_path: Path, by_the_daemon: bool) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with alive(["git", "cat-file", "--batch"], tmp_path) as git, alive(["cat"], tmp_path) as cat:
        seen = [found for one in (git, cat) if (found := describe(one.pid))]
        assert [
            one.pid
            for one in holders(AtWork(tmp_path / "lock"), seen, os.getpid() if by_the_daemon else None)
        ] == [cat.pid]
        for one in (git, cat):
            one.communicate()


def test_the_process_of_a_job_is_nobody_else_before_and_after_it_is_known_to_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -P -m wtwatch.job.wrapper --detach /jobs/1.1"
    job = Process(os.getpid(), "python3", now(), command)
    assert holders(AtWork(tmp_path / "lock"), [job], None) == ()
    known = AtWork(tmp_path / "lock", 1, os.getsid(0))
    assert [one.job for one in holders(known, [job], None)] == [1]
