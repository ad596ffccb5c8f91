"""The short line in the prompts of real shells, without Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.daemon.live import Live
from wtwatch.doors.files import bell_in, ring
from wtwatch.project import config
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.views.prompt import SHELLS, function
from wtwatch.words.model import JobSpec, Trigger

HERE = [shell for shell in SHELLS if shutil.which(shell)]
"""CI has all of them (.ci/run); bash is everywhere."""


def prompted(shell: str, folder: Path) -> str:
    """Return what a prompt of that shell says in a folder."""
    said = subprocess.run(
        [shell, "-c", f"{function(shell)}\nwtwatch_prompt"],
        cwd=folder,
        env=os.environ | {"PWD": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert said.stderr == "" and said.returncode == 0
    return said.stdout


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A project on a path that a shell has to be careful with."""
    house = House.built(tmp_path / "it's [a] $place *")
    config.write_project(house.project)
    register("p", house.project.state)
    return house


@pytest.mark.parametrize("shell", HERE)
def test_a_prompt_shows_what_status_does_and_a_question_mark_without_a_daemon(
    house: House, tmp_path: Path, shell: str
) -> None:
    main, run = house.project.main_tree, house.project.run_tree
    assert prompted(shell, main) == "", "there never was a daemon"
    with running_daemon(tmp_path):
        eventually(lambda: prompted(shell, main) == "p ✓")
        assert prompted(shell, run / "code" / "d") == "p ✓"
        assert prompted(shell, tmp_path) == prompted(shell, main.parent) == ""
        Queue(house.project.state).add([JobSpec("x")], Trigger.ON_MOVE, house.head())
        Queue(house.project.state).pause()
        ring(bell_in(main / "code" / ".git"))
        eventually(lambda: prompted(shell, main) == "p ✓ ⏸ ⏳1")
    assert prompted(shell, main) == "p ?", "it is dead"
    assert prompted(shell, tmp_path) == ""


@pytest.mark.parametrize("shell", HERE)
def test_a_heart_that_stood_still_is_a_question_mark(house: House, shell: str) -> None:
    config.daemon_file().parent.mkdir(parents=True)
    live = Live()
    eventually(lambda: live.leave(house.project) is None)
    live.beat()
    assert prompted(shell, house.project.main_tree) == "p ✓"

    def shown(pid: int, ago: int) -> str:
        up = int(Path("/proc/uptime").read_text().partition(".")[0])
        config.live_folder().joinpath("beat").write_text(f"0 {pid} {up - ago}\n")
        return prompted(shell, house.project.main_tree)

    assert shown(os.getpid(), 0) == "p ✓" and shown(os.getpid(), 60) == "p ?"
    with subprocess.Popen(["sleep", "60"]) as process:
        eventually(lambda: shown(process.pid, 0) == "p ✓")
        process.send_signal(19)
        eventually(lambda: shown(process.pid, 0) == "p ?")
        process.kill()


@pytest.mark.parametrize("shell", HERE)
def test_projects_of_one_place_are_shown_together_and_the_innermost_alone(
    house: House, tmp_path: Path, shell: str
) -> None:
    config.daemon_file().parent.mkdir(parents=True)
    live = Live()
    live.beat()
    main = house.project.main_tree
    lines = f"{tmp_path}\touter ✓\n{main}\tp ✓\n{main}\tq … ▶1/2\n{main}x\tother ✓\n"
    config.prompt_file().write_text(lines)
    assert prompted(shell, main / "code") == "p ✓  q … ▶1/2"
    assert prompted(shell, tmp_path) == "outer ✓"


def test_lines_go_with_their_project_and_stay_when_the_daemon_ends(house: House, tmp_path: Path) -> None:
    config.daemon_file().parent.mkdir(parents=True)
    live = Live()
    eventually(lambda: live.leave(house.project) is None)
    assert len(config.prompt_file().read_text().splitlines()) == 2
    live.drop("p")
    assert config.prompt_file().read_text() == ""
    eventually(lambda: live.leave(house.project) is None)
    live.end()
    live.drop("p")
    assert len(config.prompt_file().read_text().splitlines()) == 2
