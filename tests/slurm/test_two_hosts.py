"""Two login nodes of one cluster: a project is polled, submitted and integrated by one of them at a time.

The other one has a host name and process ids of its own; files are the same. What is told of the lease alone
is in tests/doors/test_lease.py and tests/project/test_owner.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from tests.building import SUBJECTS
from tests.doors.at_lease import old
from tests.lab import Lab, Said, eventually
from tests.slurm.cluster import PATIENCE, Cluster
from tests.slurm.test_story import ON_SLURM
from tests.stories.findings import is_clean, results, set_settings, states
from wtwatch.doors import lease
from wtwatch.job.attempt import Folder
from wtwatch.project import owner
from wtwatch.project.config import host, read_project

pytestmark = pytest.mark.slow

_FIRST = 'hostname "$0" && echo up && while :; do sleep 3600 & wait $!; done'


@dataclass(frozen=True)
class Host:
    """Another host, until it is lost; ``first`` is its process 1."""

    lab: Lab
    first: int
    begun: list[subprocess.Popen[bytes]]

    def inside(self, *words: str) -> list[str]:
        return [
            "nsenter", f"--target={self.first}", "--pid", "--mount", "--uts", "--",
            "env", f"--chdir={self.lab.main}", sys.executable, "-P", "-m", "wtwatch", *words,
        ]  # fmt: skip

    def wtwatch(self, *words: str, code: int | Collection[int] = 0) -> Said:
        return self.lab.say(*self.inside(*words), code=code)

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Have a command run beside the test, whose words go into a log of its name."""
        with (self.lab.root / f"{words[0]}.log").open("ab") as log:
            begun = subprocess.Popen(self.inside(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.begun.append(begun)
        return begun


@contextmanager
def another_host(lab: Lab, name: str) -> Iterator[Host]:
    """Have another host; it is lost with all its processes when the body ends."""
    spaces = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts"]
    command = ["setpriv", "--pdeathsig=KILL", *spaces, "sh", "-c", _FIRST, name]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as space:
        try:
            assert space.stdout is not None and space.stdout.readline() == "up\n"
            yield (made := Host(lab, psutil.Process(space.pid).children()[0].pid, []))
            os.kill(made.first, signal.SIGKILL)
            for one in made.begun:
                one.wait(30)
        finally:
            space.kill()


def test_a_login_node_that_is_lost_hands_on_and_finds_itself_without_when_it_is_back(
    slurm: Cluster, lab: Lab
) -> None:
    state, log = lab.project().state, lab.root / "watch.log"

    def looks_after_it(name: str) -> bool:
        seen = lease.look(state)
        return (
            seen is not None
            and seen.holder is not None
            and (seen.holder.host, seen.renewed > 0) == (name, True)
        )

    with another_host(lab, "login1") as login1:
        login1.wtwatch("init")
        set_settings(lab, settle=0.0, executor=ON_SLURM)
        login1.begin("watch")
        gate = lab.gate()
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD"], options=gate.words)
        eventually(gate.reached, within=PATIENCE)
        refused = lab.wtwatch("sync", code=1)
        assert "L5b is looked after by login1" in refused.err and "On login1: wtwatch sync L5b" in refused.err
        assert lab.status()["elsewhere"]["host"] == "login1"
        assert "login1 acts on it" in lab.wtwatch("status", code=(0, 1)).out
        assert "looked after" not in login1.wtwatch("sync", code=(0, 1)).err

    gate.open()
    eventually(Folder.of(state, 1, 1).is_over, within=PATIENCE)
    assert "login1" in lab.wtwatch("sync", code=1).err
    assert not results(lab) and looks_after_it("login1")
    old(state)

    with another_host(lab, "login2") as login2:

        def is_home() -> bool:
            beside = login2.begin("sync")
            lab.wtwatch("sync", code=(0, 1))
            return beside.wait(60) in (0, 1) and states(lab) == ["succeeded"]

        eventually(is_home, within=PATIENCE)
    assert len(results(lab)) == 1 and lab.status()["elsewhere"] is None

    with another_host(lab, "login1") as login1:
        with owner.acting(read_project(state / "config.toml")):
            login1.begin("watch")
            eventually(lambda: f"looked after by {host()}" in log.read_text(), within=PATIENCE)
        eventually(lambda: "goes on here" in log.read_text() and looks_after_it("login1"), within=PATIENCE)
    assert [(job["state"], job["attempt"]) for job in lab.jobs()] == [("succeeded", 1)]
    assert len(results(lab)) == 1 and is_clean(lab, lab.run)
