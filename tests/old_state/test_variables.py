"""After an upgrade jobs get no more what the daemon's shell has: that is told, until somebody saw it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import eventually
from tests.old_state.test_taking_up import left_by
from tests.screens import assert_screen
from wtwatch.doors.processes import variables
from wtwatch.project.config import Project, is_written_before, read_project, write_project
from wtwatch.project.listing import register
from wtwatch.queue import inherited
from wtwatch.queue.jobs import Queue


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """What version 0.1.0 left, in a shell that has variables which analyses go by."""
    (tmp_path / "fsl" / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"/usr/local/bin:/usr/bin:/bin:/usr/sbin:{tmp_path}/gone:{tmp_path}/fsl/bin")
    monkeypatch.setenv("FSLDIR", "/opt/fsl")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    house = left_by("0.1.0", "running", tmp_path)
    register("main", house.project.state)
    return house


def shown(house: House, say: Say) -> str:
    """Return what `status` says of variables, in one line."""
    text = say(house.project.main_tree, "status", code=1).out.partition("  variables ")[2]
    return " ".join(text.partition("  pointer ")[0].split())


def told(house: House, daemon: int | None = None) -> tuple[str, ...]:
    return inherited.names(
        read_project(house.project.state / "config.toml"), Queue(house.project.state), daemon
    )


def test_status_tells_of_it_until_all_is_declared(house: House, say: Say, tmp_path: Path) -> None:
    main, folder = house.project.main_tree, tmp_path / "fsl" / "bin"
    assert shown(house, say) == (
        f"jobs get no more what the daemon's shell has in FSLDIR, OMP_NUM_THREADS, and on PATH in {folder} "
        f"→ wtwatch config env.FSLDIR \"$FSLDIR\" → wtwatch config env.PATH '{folder}:$PATH' "
        "→ or, if they need none of it: wtwatch ack --all"
    )
    document = json.loads(say(main, "status", "--json", code=1).out)
    assert document["projects"][0]["inherited"] == ["FSLDIR", "OMP_NUM_THREADS", f"PATH={folder}"]
    say(main, "config", "env.PATH", f"{folder}:$PATH")
    assert not is_written_before(house.project, inherited.MADE), "its settings are of today's version by now"
    say(main, "config", "env.FSLDIR", "/opt/fsl")
    assert told(house) == ("OMP_NUM_THREADS",)
    say(main, "config", "env.OMP_NUM_THREADS", "4")
    assert told(house) == () and shown(house, say) == ""


def test_who_saw_it_is_told_no_more(house: House, say: Say) -> None:
    assert told(house) != ()
    say(house.project.main_tree, "ack", "--all")
    assert told(house) == () and shown(house, say) == ""
    say(house.project.main_tree, "config", "settle", "1")
    assert told(house) == ()


def test_another_init_leaves_it_to_be_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    inherited.keep(house.project, Queue(house.project.state), None)
    write_project(house.project)
    monkeypatch.delenv("FSLDIR")
    assert "FSLDIR" in told(house), "as the shell of then had it"


def test_the_shell_of_the_daemon_counts_if_one_runs(house: House) -> None:
    env = {"MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "4", "PATH": "/usr/bin:/bin"}
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=env)
    try:
        eventually(lambda: "MKL_NUM_THREADS" in variables(sleeper.pid))
        assert told(house, sleeper.pid) == ("MKL_NUM_THREADS", "OMP_NUM_THREADS")
    finally:
        sleeper.kill()
        sleeper.communicate()


def test_who_never_ran_a_job_before_misses_nothing(house: House) -> None:
    queue = Queue(house.project.state)
    assert queue.has_run()
    queue.file.unlink()
    assert not queue.has_run() and told(house) == ()


@pytest.mark.parametrize(("line", "old"), [("", True), ("version = 5\n", True), ("version = 6\n", False)])
def test_what_is_old_stands_in_the_settings(tmp_path: Path, line: str, old: bool) -> None:
    (tmp_path / "config.toml").write_text(f'name = "p"\n{line}')
    project = Project("p", tmp_path, tmp_path, tmp_path)
    assert is_written_before(project, inherited.MADE) is old
    assert not is_written_before(project._replace(state=tmp_path / "none"), inherited.MADE)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_lines_of_status_fit(columns: int) -> None:
    from wtwatch.views.text import _variables

    names = (
        *(f"ANALYSIS_OF_{letter}_DIR" for letter in "ABCDEFGHIJKLMNO"),
        "PATH=/opt/fsl/bin:/home/ada/bin",
    )
    lines = [text for line in _variables(names) for text in line.shown(columns, 0.0)]
    assert_screen(f"status-after-an-upgrade.{columns}", "\n".join(lines) + "\n")
