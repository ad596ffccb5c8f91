"""``wtwatch exec``: the tree is held for as long as what it started lives."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import eventually
from wtwatch.doors.files import held
from wtwatch.doors.processes import holding
from wtwatch.project.config import host, write_project
from wtwatch.project.listing import register
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import environment
from wtwatch.words.errors import Busy
from wtwatch.words.model import EnvironmentState, JobSpec, Running, Sha, Trigger, now

EXEC = (sys.executable, "-P", "-m", "wtwatch", "exec", "--")
WAITS = "read -r line < {gate}"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path, host=host())
    write_project(house.project)
    register(house.project.name, house.project.state)
    return house


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Where a command waits until it is written to."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


@contextmanager
def executing(house: House, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a line of shell by ``wtwatch exec``; the body begins when the line does."""
    begun = house.project.state / "begun"
    line = f"{command.partition(';')[0]}; : > {begun}; {command.partition(';')[2]}"
    with subprocess.Popen([*EXEC, "sh", "-c", line], cwd=house.project.main_tree) as process:
        eventually(begun.exists)
        yield process


def is_free(house: House) -> bool:
    try:
        with held(house.tree.lock):
            return True
    except Busy:
        return False


def test_the_tree_stays_held_when_exec_is_killed_and_its_command_lives(
    house: House, gate: Path, say: Say
) -> None:
    with executing(house, f"cd /; {WAITS.format(gate=gate)}") as process:
        process.kill()
        process.wait()
        with pytest.raises(Busy, match=r"sh \(pid \d+\)") as caught, held(house.tree.lock):
            pass
        (left,) = caught.value.processes
        assert "cd /" in left.command
        (busy,) = json.loads(say(house.project.main_tree, "status", "--json").out)["projects"][0]["busy"]
        assert (busy["pid"], busy["name"], busy["command"]) == (left.pid, "sh", left.command)
        assert "sh (pid" in say(house.project.main_tree, "sync", code=1).err
        gate.write_text("go\n")
        eventually(lambda: is_free(house))
    assert holding(house.tree.lock) == []


def test_status_shows_what_runs_by_hand_once_and_by_its_command(house: House, gate: Path, say: Say) -> None:
    with executing(house, f"true; cat {gate}; true"):
        shown = say(house.project.main_tree, "status").out.splitlines()
        gate.write_text("go\n")
    (line,) = [line for line in shown if "exec" in line or "busy" in line]
    assert line.startswith("  exec         sh -c") and "(pid" in line


def test_the_tree_stays_held_as_long_as_anything_runs_that_exec_started(house: House, gate: Path) -> None:
    with executing(house, f"cd /; ({WAITS.format(gate=gate)}) &") as process:
        assert process.wait(20) == 0
        assert not is_free(house)
        gate.write_text("go\n")
        eventually(lambda: is_free(house))


def test_told_to_wait_it_begins_when_the_tree_is_free(house: House, gate: Path, say: Say) -> None:
    with executing(house, f"true; cat {gate}"):
        say(house.project.main_tree, "exec", "true", code=1)
        words = [*EXEC[:-1], "--wait", "--", "echo", "at last"]
        with subprocess.Popen(
            words, cwd=house.project.main_tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr is not None and "Waiting for that" in second.stderr.readline()
            assert second.poll() is None
            gate.write_text("go\n")
            assert second.communicate(timeout=60)[0] == "at last\n"
    assert second.returncode == 0


def test_a_move_that_was_cut_off_is_ended_before_the_command_begins(house: House, say: Say) -> None:
    old = house.head()
    new = house.commit({"a.py": "a = 2\n", "b.py": "b = 2\n"})
    house.tree.journal().open({"from": old, "to": new})
    house.edit("a.py", "a = 2\n")  # what git had written when it was killed
    assert say(house.project.main_tree, "exec", "cat", "code/a.py").out == "a = 1\n"
    assert house.here("status", "--porcelain") == ""


def test_off_the_branch_exec_warns_that_results_belong_nowhere(house: House, say: Say) -> None:
    house.git("checkout", "-q", "--detach", cwd=house.project.run_tree)
    said = say(house.project.main_tree, "exec", "echo", "done")
    assert said.out == "done\n"
    assert "no branch instead of runs" in said.err and "checkout runs" in said.err
    back = ("git", "-C", str(house.project.run_tree), "checkout", "-q", "runs")
    say(house.project.main_tree, "exec", *back)
    assert say(house.project.main_tree, "exec", "true").err == ""


def test_exec_names_the_job_that_runs(house: House, say: Say) -> None:
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec("true", plain=True)], Trigger.NOW, house.head())
    queue.begin(job.id, Running(now(), house.head(), Sha("a" * 40), "uuid"))
    said = say(house.project.main_tree, "exec", "true", code=1)
    assert re.search(rf"Job {job.id} runs in the run tree \(for \d+ s\)", said.err)
    assert "wtwatch queue wait" in said.err


def test_while_jobs_run_in_lanes_alone_the_run_tree_is_free(house: House, say: Say) -> None:
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec("true", plain=True)], Trigger.NOW, house.head())
    queue.begin(job.id, Running(now(), house.head(), Sha("a" * 40), "uuid", lane=1))
    assert say(house.project.main_tree, "exec", "echo", "here").err == ""


def test_while_another_command_has_the_tree_it_is_said_how_to_wait(house: House, say: Say) -> None:
    with held(house.tree.lock):
        said = say(house.project.main_tree, "exec", "true", code=1).err
    assert "works on the run tree right now" in said and "wtwatch exec --wait -- COMMAND" in said


def test_a_command_that_is_told_to_end_is_told_through_exec(house: House, gate: Path) -> None:
    with executing(house, f"cd /; exec cat {gate}") as process:
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
        eventually(lambda: is_free(house))


def test_in_an_environment_that_no_job_may_use_it_runs_and_says_so(house: House, say: Say) -> None:
    project = house.project._replace(environment="echo no network; exit 4")
    write_project(project)
    tree = RunTree.of(project)
    assert not environment.set_up(tree, "", environment.Verdict(EnvironmentState.MISSING)).ready
    said = say(project.main_tree, "exec", "--", "true")
    assert "No job would run here now" in said.err and "no network" in said.err and "wtwatch sync" in said.err
    write_project(project._replace(environment="none"))
    assert say(project.main_tree, "exec", "--", "true").err == ""
