"""The user is told by a command of theirs, beside the ticks, wherever the daemon is killed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.daemon import announce
from wtwatch.daemon.announce import Crier
from wtwatch.daemon.causes import Cause
from wtwatch.project.config import Project, write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import JobSpec, Trigger

SHOW = "echo \"$WTWATCH_PROJECT|$WTWATCH_REASON|$WTWATCH_BATCH|$WTWATCH_SUCCEEDED|$WTWATCH_FAILED\" >> '{}'"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    state = tmp_path / "state"
    state.mkdir()
    bare = Project("p", state, tmp_path / "main", tmp_path / "run")
    return bare._replace(on_attention=f"echo $WTWATCH_REASON >> '{tmp_path}/told'")


def causes(*reasons: str) -> list[Cause]:
    return [Cause(reason, "on_attention", {"WTWATCH_REASON": reason}) for reason in reasons]


def cry(project: Project, reasons: Iterable[str] = ()) -> None:
    """Tell what waits, and these reasons, to the end."""
    announce.post(project, causes(*reasons))
    crier = Crier()
    crier.tell(project)
    eventually(crier.is_silent)


def told(project: Project) -> list[str]:
    file = project.state.parent / "told"
    return file.read_text().splitlines() if file.exists() else []


def test_what_is_posted_is_told_in_its_order_and_once(project: Project) -> None:
    cry(project, ["one", "two", "three"])
    cry(project)
    assert told(project) == ["one", "two", "three"] and announce.waiting(project) == []
    assert stat.S_IMODE((project.state / "announcements").stat().st_mode) == 0o700


def test_a_daemon_that_is_killed_before_the_command_begins_leaves_it_to_the_next(project: Project) -> None:
    announce.post(project, causes("one"))
    announce.post(project, causes("one"))  # killed before that was noted, so posted again
    cry(project)
    assert told(project) == ["one"]


def test_a_command_that_two_daemons_begin_is_run_once(project: Project) -> None:
    announce.post(project, causes("one"))
    criers = [Crier() for _ in range(4)]
    for crier in criers:
        crier.tell(project)
    eventually(lambda: all(crier.is_silent() for crier in criers))
    assert told(project) == ["one"]


def test_a_cause_that_comes_up_anew_while_it_is_told_is_told_again(project: Project, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = f"{project.on_attention}; while [ ! -e '{gate}' ]; do sleep 0.02; done"
    slow_project = project._replace(on_attention=slow)
    announce.post(project, causes("one"))
    crier = Crier()
    crier.tell(slow_project)
    eventually(lambda: told(project))
    announce.post(project, causes("one"))
    crier.tell(slow_project)
    gate.touch()
    eventually(crier.is_silent)
    assert told(project) == ["one", "one"]


def test_few_commands_run_at_once_however_much_there_is_to_tell(project: Project, tmp_path: Path) -> None:
    gate, crier = tmp_path / "gate", Crier()
    for number in range(6):
        state = tmp_path / f"state{number}"
        state.mkdir()
        command = f"echo x >> '{tmp_path}/begun'; while [ ! -e '{gate}' ]; do sleep 0.02; done"
        one = project._replace(name=f"p{number}", state=state, on_attention=command)
        announce.post(one, causes("a", "b"))
        crier.tell(one)
    begun = tmp_path / "begun"
    eventually(lambda: begun.exists() and len(begun.read_text().splitlines()) == announce.AT_ONCE)
    gate.touch()
    eventually(crier.is_silent)
    assert len(begun.read_text().splitlines()) == 12


def test_more_than_can_be_told_is_in_the_log_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(announce, "MOST", 2)
    cry(project, ["one", "two", "three"])
    assert told(project) == ["one", "two"] and "three" in caplog.text


def test_what_cannot_be_read_or_has_no_command_any_more_is_dropped(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    announce.post(project, causes("one"))
    (file,) = announce.waiting(project)
    for text in ("{", '{"setting": "on_tuesday", "facts": {}}', "[]"):
        file.with_name("odd.json").write_text(text)
        cry(project._replace(on_attention=""))
        assert announce.waiting(project) == [] and "cannot be read" in caplog.text
    assert told(project) == []


def test_a_command_that_fails_or_hangs_is_told_in_the_log_and_ends(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    cry(project._replace(on_attention="echo trouble; exit 3"), ["one"])
    assert "ended with 3: trouble" in caplog.text
    mark, limits = tmp_path / "pid", iter((0.3, 3.0, 30.0))  # on a busy machine it begins later than that

    def was_ended_at_work() -> bool:
        monkeypatch.setattr(announce, "LIMIT", next(limits))
        cry(project._replace(on_attention=f"sleep 60 & echo $! > '{mark}'; wait"), ["two"])
        assert "was ended" in caplog.text
        return mark.exists() and mark.read_text().endswith("\n")

    eventually(was_ended_at_work)
    eventually(lambda: not _lives(int(mark.read_text())))


def test_a_command_that_prints_without_end_fills_no_disk(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    cry(project._replace(on_attention="yes 2>&1"), ["one"])
    assert "ended with" in caplog.text


def test_what_a_command_leaves_running_is_let_run(project: Project, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    began = time.monotonic()
    cry(project._replace(on_attention=f"sleep 60 & echo $! > '{mark}'; exit 0"), ["one"])
    assert time.monotonic() - began < 50, "who waits for the command does not wait for that"
    assert _lives(int(mark.read_text()))
    os.kill(int(mark.read_text()), 9)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # FileNotFoundError, or ESRCH where it ends as it is read
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def test_the_daemon_tells_of_a_failed_job_and_of_the_batch(tmp_path: Path) -> None:
    house, out = House.built(tmp_path / "house"), tmp_path / "told"
    command = SHOW.format(out)
    write_project(house.project._replace(on_attention=command, on_batch_end=command))
    register("p", house.project.state)
    Queue(house.project.state).add([JobSpec("false", "mine", plain=True)], Trigger.NOW, house.head())
    with running_daemon(tmp_path):
        eventually(lambda: out.exists() and len(out.read_text().splitlines()) == 2)
    assert sorted(out.read_text().splitlines()) == ["p|Job 1 (mine) failed (exit 1).|1||", "p||1|0|1"]


def test_a_setting_holds_from_the_moment_in_which_it_is_set(tmp_path: Path, say: Say) -> None:
    house, out = House.built(tmp_path / "house"), tmp_path / "told"
    write_project(house.project)
    register("p", house.project.state)
    with running_daemon(tmp_path):
        say(house.project.main_tree, "config", "on_attention", f"echo $WTWATCH_REASON >> '{out}'")
        say(house.project.main_tree, "queue", "add", "--plain", "-m", "mine", "--", "false")
        eventually(lambda: out.exists() and out.read_text())
    assert out.read_text() == "Job 1 (mine) failed (exit 1).\n"


KILL = """
import os
from wtwatch.daemon.announce import Crier
from wtwatch.daemon import announce, causes
from wtwatch.queue.jobs import Queue
from wtwatch.queue.facts import QueueFacts
place, name = {place}, "{name}"
was = getattr(place, name)
def killed(*args, **more):
    if {when}:
        was(*args, **more)
    os.kill(os.getpid(), 9)
setattr(place, name, killed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", [False, True])
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("Queue", "end"),
        ("announce", "post"),
        ("QueueFacts", "note_told"),
        ("Crier", "tell"),
        ("announce", "_run"),
    ],
)
def test_a_daemon_that_is_killed_at_any_step_tells_of_a_failure_once_or_once_more(
    tmp_path: Path, place: str, name: str, when: bool
) -> None:
    """Before a step, or right after it; the next daemon goes on."""
    house, out = House.built(tmp_path / "house"), tmp_path / "told"
    write_project(house.project._replace(on_attention=f"echo $WTWATCH_REASON >> '{out}'"))
    register("p", house.project.state)
    Queue(house.project.state).add([JobSpec("false", "mine", plain=True)], Trigger.NOW, house.head())
    with running_daemon(tmp_path, before=KILL.format(place=place, name=name, when=when)) as daemon:
        eventually(lambda: daemon.poll() is not None)
    with running_daemon(tmp_path):
        eventually(lambda: out.exists() and out.read_text())
        eventually(lambda: not announce.waiting(house.project))
    told = out.read_text().splitlines()
    assert 1 <= len(told) <= 2 and set(told) == {"Job 1 (mine) failed (exit 1)."}
