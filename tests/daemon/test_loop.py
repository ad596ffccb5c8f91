"""The daemon as a process: one only, told of everything, hard to upset, quick to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import Say
from tests.lab import Lab, eventually
from tests.stories.findings import ends, follows, queue_plain
from wtwatch.project.config import Project, read_project, registry_file


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")


def log(lab: Lab) -> str:
    return (lab.root / "daemon.log").read_text()


def test_a_second_daemon_is_refused_and_the_first_is_named(lab: Lab) -> None:
    with lab.daemon() as first:
        assert f"pid {first.pid}" in lab.wtwatch("watch", code=1).err
        assert first.poll() is None


def test_a_project_is_taken_up_and_dropped_without_a_restart(lab: Lab) -> None:
    with lab.daemon():
        assert json.loads(lab.wtwatch("status", "--json").out)["daemon"]["watches"] <= 1
        lab.wtwatch("init")
        moved = lab.change_code("v2", "a second version")
        lab.move_bookmark()
        follows(lab, moved)
        assert lab.status()["queue"]["waiting"] == 0
        lab.wtwatch("forget")
        eventually(lambda: json.loads(lab.wtwatch("status", "--json").out)["daemon"]["watches"] <= 1)
        later = lab.change_code("v3", "a third version")
        lab.move_bookmark()
        assert lab.commit("HEAD", lab.run_code) == moved != later


def test_a_project_that_cannot_be_read_holds_up_no_other(lab: Lab, project: Project) -> None:
    broken = lab.root / "broken"
    broken.mkdir()
    (broken / "config.toml").write_text("name = 3\n")
    foreign = lab.root / "foreign"
    foreign.mkdir()
    text = (project.state / "config.toml").read_text()
    host = next(line for line in text.splitlines() if line.startswith("host"))
    (foreign / "config.toml").write_text(text.replace(host, 'host = "elsewhere"'))
    with registry_file().open("a") as registry:
        registry.write(f"broken = {json.dumps(str(broken))}\nforeign = {json.dumps(str(foreign))}\n")
        registry.write(f"gone = {json.dumps(str(lab.root / 'gone'))}\n")
    with lab.daemon():
        moved = lab.change_code("v2", "a second version")
        lab.move_bookmark()
        follows(lab, moved)
    said = log(lab)
    assert "broken is left alone" in said
    assert "gone is left alone" in said
    assert "foreign is left alone: it belongs to the host elsewhere" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_whenever_it_comes(lab: Lab, project: Project, number: signal.Signals) -> None:
    for _ in range(3):
        with lab.daemon() as one:
            one.send_signal(number)
            assert one.wait(8) == 0
    assert "Traceback" not in log(lab)


def test_a_bell_rings_for_all_projects_of_one_superdataset(lab: Lab, project: Project, say: Say) -> None:
    say(lab.main, "init", "--bookmark", "brave")
    with lab.daemon():
        moved = lab.change_code("v2", "a second version")
        lab.git("update-ref", "refs/heads/brave", moved, cwd=lab.code)
        lab.move_bookmark()
        follows(lab, moved)
        eventually(lambda: lab.git("rev-parse", "HEAD:code", cwd=lab.root / "L5b-brave") == moved)
        said = json.loads(lab.wtwatch("status", "--json").out)
        assert said["daemon"]["watches"] <= 16
        assert [one["freshness"] for one in said["projects"]] == ["fresh", "fresh"]


def test_it_stands_in_nobodys_way(lab: Lab, project: Project) -> None:
    with lab.daemon() as one:
        queue_plain(lab, "--now")
        ends(lab, "succeeded")
        process = psutil.Process(one.pid)
        assert process.cwd() == "/"
        eventually(lambda: not process.children() and not held_files(process, lab))


def held_files(process: psutil.Process, lab: Lab) -> list[str]:
    return [file.path for file in process.open_files() if Path(file.path).is_relative_to(lab.main)]


def test_datalad_and_gitpython_never_enter_the_daemon() -> None:
    code = "import sys, wtwatch.daemon.loop\n"
    code += "print(*sorted({'datalad', 'git', 'rich', 'click'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
