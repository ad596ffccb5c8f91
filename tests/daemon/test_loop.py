"""The daemon as a process: one only, told of everything, hard to upset, quick to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import PATIENCE, Lab, eventually
from tests.stories.findings import WARM, ends, follows, queue_plain
from wtwatch import __version__, reconcile
from wtwatch.daemon import loop, places
from wtwatch.daemon.notice import Watch
from wtwatch.daemon.pool import Pool
from wtwatch.daemon.ticks import SILENCE, ProjectTicks
from wtwatch.daemon.upgrade import Upgrade
from wtwatch.doors import notify
from wtwatch.doors.clock import Instant, elapsed
from wtwatch.job import lifecycle
from wtwatch.job.warming import Warming
from wtwatch.project import registry
from wtwatch.project.config import Project, daemon_file, read_project, write_project
from wtwatch.project.listing import register, registry_file
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.words.model import JobSpec, Trigger


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


@pytest.mark.slow
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
        lab.wtwatch("init", "--bookmark", "other", "--no-hooks")  # one that is followed shows that it watches
        lab.move_bookmark(bookmark="other", rev=later)
        eventually(lambda: lab.commit("HEAD", lab.root / "L5b-other" / "code") == later)
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


def test_settings_that_are_mended_are_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sweep has to come by: a project that could not be read is watched where its settings are."""
    monkeypatch.setattr(loop, "SWEEP", 3600.0)
    house = House.built(tmp_path / "house")
    write_project(house.project)
    register("p", house.project.state)
    settings = house.project.state / "config.toml"
    good = settings.read_text()
    settings.write_text("nonsense")
    daemon_file().parent.mkdir(parents=True)
    lock = os.open(daemon_file(), os.O_RDWR | os.O_CREAT)
    daemon = loop.Daemon(lock, Upgrade(tmp_path))
    with Watch(daemon._bell) as watch:
        daemon._reload(watch)
        assert daemon._ticks == {}
        settings.write_text(good)

        def heard() -> bool:
            watch.wait(0.1)
            daemon._hear(watch, watch.rung() or frozenset())
            return "p" in daemon._ticks

        eventually(heard)
    daemon._stop()
    os.close(lock)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_whenever_it_comes(lab: Lab, project: Project, number: signal.Signals) -> None:
    for _ in range(3):
        with lab.daemon() as one:
            one.send_signal(number)
            assert one.wait(PATIENCE) == 0
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
        eventually(lambda: [lab.status(name)["freshness"] for name in ("L5b", "L5b-brave")] == ["fresh"] * 2)


def test_it_stands_in_nobodys_way(lab: Lab, project: Project) -> None:
    with lab.daemon() as one:
        queue_plain(lab, "--now")
        ends(lab, "succeeded")
        process = psutil.Process(one.pid)
        assert process.cwd() == "/"
        eventually(
            lambda: not held_files(process, lab) and all(is_apart(one, lab) for one in process.children())
        )


def is_apart(child: psutil.Process, lab: Lab) -> bool:
    """Whether that is what starts jobs quickly, which stays for a while, in nobody's way either."""
    with suppress(psutil.NoSuchProcess):  # a git of its, which just ended
        return WARM in child.cmdline() and child.cwd() == "/" and not held_files(child, lab)
    return False


def held_files(process: psutil.Process, lab: Lab) -> list[str]:
    return [file.path for file in process.open_files() if Path(file.path).is_relative_to(lab.main)]


TICKS = """
import sys, time
from pathlib import Path
import wtwatch.daemon.loop
from wtwatch import reconcile
from wtwatch.project.config import read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
before = set(sys.modules)
project = read_project(Path(sys.argv[1]) / "config.toml")
queue, seen = Queue(project.state), []
while len(seen) < 3:
    done = reconcile.tick(project, reconcile.TickOptions(start_jobs=True))
    seen += [what for what in ("moved", "started", "ended") if getattr(done, what)]
    time.sleep(0.01)
print(*sorted(set(sys.modules) - before))
print(*sorted({"datalad", "git", "rich", "click"} & set(sys.modules)))
print(*seen)
"""


def test_ticks_import_nothing_of_wtwatch_or_its_libraries_that_was_not_there_at_the_start(
    tmp_path: Path,
) -> None:
    """Else an upgrade would mix two versions; and DataLad and GitPython never enter the daemon."""
    house = House.built(tmp_path / "house", settle=0.0)
    write_project(house.project)
    house.commit({"a.py": "a = 2\n"})
    Queue(house.project.state).add([JobSpec("true", plain=True)], Trigger.NOW, house.head())
    ticks = [sys.executable, "-P", "-c", TICKS, str(house.project.state)]
    said = subprocess.run(ticks, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[2].split() == ["moved", "started", "ended"]
    new = {name.split(".")[0] for name in said[0].split()}
    assert new <= sys.stdlib_module_names
    assert said[1] == ""


def ring(daemon: loop.Daemon) -> bool:
    daemon._bell.ring()
    return False


def test_a_thread_that_hangs_lets_systemd_know_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House.built(tmp_path / "house")
    write_project(house.project)
    register("p", house.project.state)
    told: list[str] = []
    turns: list[str] = []
    hangs, hang = threading.Event(), threading.Event()

    def tick(*_: object) -> Done:
        hangs.set()
        hang.wait()
        return Done()

    def turned() -> bool:
        turns.append("turn")
        return False

    monkeypatch.setattr(notify, "watchdog", lambda: told.append("alive"))
    monkeypatch.setattr(reconcile, "tick", tick)
    daemon_file().parent.mkdir(parents=True)
    lock = os.open(daemon_file(), os.O_RDWR | os.O_CREAT)
    upgrade = Upgrade(tmp_path)
    monkeypatch.setattr(upgrade, "is_ready", turned)
    daemon = loop.Daemon(lock, upgrade)
    monkeypatch.setattr(daemon, "_signals", nullcontext)

    def after_turns(number: int) -> dict[str, Any]:
        goal = len(turns) + number
        eventually(lambda: len(turns) >= goal or ring(daemon))
        facts: dict[str, Any] = json.loads(daemon_file().read_text())
        return facts

    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        before = after_turns(2)
        assert told and hangs.wait(60)
        assert before["version"] == __version__ and before["stuck"] == []
        assert elapsed(Instant(**before["beat"])) is not None
        monkeypatch.setattr("wtwatch.daemon.ticks.SILENCE", 0.0)
        assert after_turns(3)["stuck"] == ["p"]
        silent = len(told)
        after_turns(3)
        assert len(told) == silent
        hang.set()
        eventually(lambda: len(told) > silent or ring(daemon))
    finally:
        hang.set()
        daemon._stopping.set()
        daemon._bell.ring()
        running.join()
        os.close(lock)


def test_what_starts_jobs_quickly_is_ended_when_none_are_due_and_with_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon_file().parent.mkdir(parents=True)
    lock = os.open(daemon_file(), os.O_RDWR | os.O_CREAT)
    daemon = loop.Daemon(lock, Upgrade(tmp_path))
    monkeypatch.setattr(daemon, "_signals", nullcontext)
    warming = daemon._warming = Warming(["sleep", "600"])
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        eventually(lambda: lifecycle.HERE.warming is warming)
        lifecycle.HERE.expect()
        ring(daemon)
        assert warming._process is not None
        monkeypatch.setattr("wtwatch.job.warming.IDLE", 0.0)
        eventually(lambda: warming._process is None or ring(daemon))
        monkeypatch.setattr("wtwatch.job.warming.IDLE", 600.0)
        lifecycle.HERE.expect()
        process = warming._process
    finally:
        daemon._stopping.set()
        daemon._bell.ring()
        running.join()
        os.close(lock)
    assert process is not None and process.returncode == -signal.SIGKILL
    assert lifecycle.HERE.warming is None


def test_an_event_is_for_its_own_project_and_settings_are_read_when_they_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    houses = {name: House.built(tmp_path / name, name=name) for name in ("p", "q")}
    for name, house in houses.items():
        write_project(house.project)
        register(name, house.project.state)
    poked: list[str] = []
    read: list[Path] = []
    load = registry.load

    def poke(one: ProjectTicks) -> bool:
        poked.append(one.project.name)
        return True

    def noted(state: Path) -> Project:
        read.append(state)
        return load(state)

    monkeypatch.setattr(loop, "SWEEP", 3600.0)
    monkeypatch.setattr(Pool, "add", lambda pool, one: None)
    monkeypatch.setattr(ProjectTicks, "poke_if_changed", poke)
    monkeypatch.setattr(registry, "load", noted)
    daemon_file().parent.mkdir(parents=True)
    lock = os.open(daemon_file(), os.O_RDWR | os.O_CREAT)
    daemon = loop.Daemon(lock, Upgrade(tmp_path))
    with Watch(daemon._bell) as watch:
        daemon._reload(watch)
        for one in daemon._ticks.values():
            one.at = places.places(one.project)
        daemon._hear(watch, watch.rung())
        assert (sorted(set(poked)), len(set(read)), len(read)) == (["p", "q"], 2, 2)
        del poked[:]
        houses["q"].commit({"a.py": "new\n"})
        eventually(lambda: watch.wait(0.1))
        daemon._hear(watch, watch.rung())
        assert (poked, len(read)) == (["q"], 2), "nobody else, and no settings"
        write_project(houses["p"].project._replace(settle=1.0))
        daemon._hear(watch, None)  # a sweep, or a ring for all
        assert set(poked) == {"p", "q"} and len(read) == 3
        daemon._ticks["p"].turn()
        assert daemon._ticks["p"].project.settle == 1.0
    os.close(lock)


def test_a_long_set_up_shows_that_it_lives(tmp_path: Path) -> None:
    one = ProjectTicks(House.built(tmp_path / "house").project)
    one._sign = -SILENCE * 10
    assert one.is_stuck()
    assert one._options().stop() is False
    assert not one.is_stuck()
    one.stopping.set()
    assert one._options().stop() is True
