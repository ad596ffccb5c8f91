"""The background service, with a real systemd: its unit is sound, its promises hold."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.daemon.test_upgrade import copied, version
from tests.daemon.test_upgrade import install as put_in_place
from tests.lab import PATIENCE, Lab, eventually
from tests.stories.findings import ends, first_warm, queue_gated
from tests.user_manager import UserManager, user_manager
from wtwatch import __version__
from wtwatch.doors.files import holder
from wtwatch.project.config import UNIT, daemon_file, unit_file
from wtwatch.setup import service
from wtwatch.words.errors import WtwatchError

ODD_FOLDERS = ["plain", "two words", "%h $HOME ${x}=é", 'say "hi", it\'s \\n', "-tab\there"]

STAND_IN = f"""#!{sys.executable}
import json, os, signal, subprocess, sys
from pathlib import Path
from wtwatch.doors import notify
job = subprocess.Popen(["sleep", "600"])
umask = os.umask(0)
said = {{"argv": sys.argv, "env": dict(os.environ), "umask": umask, "job": job.pid}}
(Path.home() / "said.json").write_text(json.dumps(said))
notify.ready()
signal.pause()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the sealed home, in which no user manager can be reached."""
    (tmp_path / "nobody").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nobody"))
    return Path.home()


@pytest.fixture
def manager(home: Path) -> Iterator[UserManager]:
    """Run a user manager of the test's own."""
    kept = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    with user_manager(home, **kept) as running:
        yield running


def call(manager: UserManager, function: str, program: Path | str = sys.executable) -> Any:
    """Call a function of the service module beside the manager, in a Python at ``program``."""
    script = (
        "import json, sys\n"
        "from wtwatch.setup import service\n"
        "from wtwatch.words import errors\n"
        f"sys.executable = {str(program)!r}\n"
        "try:\n"
        f"    answer = service.{function}()\n"
        "except errors.WtwatchError as error:\n"
        "    answer = {'error': error.message, 'hint': error.hint}\n"
        "if isinstance(answer, tuple):\n"
        "    answer = answer._asdict()\n"
        "print(json.dumps(answer, default=str))\n"
    )
    return json.loads(manager.run(sys.executable, "-c", script).stdout)


def stand_in(tmp_path: Path, folder: str = "bin") -> Path:
    """Put the stand-in for Python into a folder of that name."""
    program = tmp_path / folder / "python"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return program


def write_unit(program: Path) -> None:
    """Write a unit that runs the stand-in, as install would write it."""
    environment = {"PATH": f"/usr/bin:{program.parent}", "XDG_STATE_HOME": str(program.parent)}
    unit = unit_file()
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text(service.unit_text(str(program), environment, 0o027))


@pytest.mark.parametrize("folder", ODD_FOLDERS)
def test_systemd_has_no_word_to_say_against_the_unit(folder: str, home: Path, tmp_path: Path) -> None:
    write_unit(stand_in(tmp_path, folder))
    verify = ["systemd-analyze", "--user", "verify", str(unit_file())]
    with tempfile.TemporaryDirectory(prefix="wtwatch-") as runtime:  # short: other units have sockets there
        env = os.environ | {"XDG_RUNTIME_DIR": runtime}
        checked = subprocess.run(verify, env=env, capture_output=True, text=True, check=False)
    # it exits 0 on a bad value
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("folder", ODD_FOLDERS)
def test_odd_paths_reach_the_daemon_letter_by_letter(
    folder: str, manager: UserManager, tmp_path: Path
) -> None:
    program = stand_in(tmp_path, folder)
    write_unit(program)
    manager.systemctl("daemon-reload")
    manager.systemctl("start", UNIT)
    said = json.loads((Path.home() / "said.json").read_text())
    assert said["argv"] == [str(program), "-P", "-m", "wtwatch", "watch"]
    assert said["env"]["PATH"] == f"/usr/bin:{program.parent}"
    assert said["env"]["XDG_STATE_HOME"] == str(program.parent)
    assert said["umask"] == 0o027


@pytest.mark.slow
def test_a_stop_ends_the_daemon_and_leaves_its_children(manager: UserManager, tmp_path: Path) -> None:
    write_unit(stand_in(tmp_path))
    manager.systemctl("start", UNIT)
    daemon = int(manager.show(UNIT, "MainPID"))
    job = json.loads((Path.home() / "said.json").read_text())["job"]
    manager.systemctl("stop", UNIT)
    assert psutil.pid_exists(job)
    assert not psutil.pid_exists(daemon)


@pytest.mark.slow
def test_installing_starts_the_daemon_now_and_at_each_login(manager: UserManager, tmp_path: Path) -> None:
    done = call(manager, "install", stand_in(tmp_path))
    unit = unit_file()
    assert done == {"unit": str(unit), "changed": True, "replaced": None, "lingers": None}
    state = call(manager, "state")
    assert state == {
        "unit": str(unit),
        "installed": True,
        "enabled": True,
        "active": True,
        "pid": int(manager.show(UNIT, "MainPID")),
        "detail": "running",
    }
    assert manager.systemctl("show", "default.target", "--property=Wants", "--value") == UNIT


@pytest.mark.slow
def test_installing_twice_changes_nothing_and_restarts_nothing(manager: UserManager, tmp_path: Path) -> None:
    program = stand_in(tmp_path)
    call(manager, "install", program)
    before = written(unit_file()), call(manager, "state")
    assert call(manager, "install", program)["changed"] is False
    assert (written(unit_file()), call(manager, "state")) == before


def written(file: Path) -> tuple[int, int, int]:
    """Return which file it is, and when it was written, not when it was read last."""
    stat = file.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


@pytest.mark.slow
def test_installing_from_another_python_replaces_the_daemon(manager: UserManager, tmp_path: Path) -> None:
    call(manager, "install", stand_in(tmp_path, "old"))
    before = call(manager, "state")["pid"]
    new = stand_in(tmp_path, "new")
    assert call(manager, "install", new)["changed"] is True
    assert json.loads((Path.home() / "said.json").read_text())["argv"][0] == str(new)
    assert call(manager, "state")["pid"] != before


@pytest.mark.slow
@pytest.mark.parametrize("says", [{"version": "0.0.9"}, {"since": "before it told its version"}], ids=str)
def test_installing_over_a_daemon_of_another_version_starts_it_anew(
    manager: UserManager, tmp_path: Path, says: dict[str, str]
) -> None:
    program = stand_in(tmp_path)
    claims = (
        "from wtwatch.doors.files import claim\n"
        "from wtwatch.project.config import daemon_file\n"
        f"os.pwrite(claim(daemon_file()), {json.dumps(says).encode()!r}, 0)\n"
    )
    program.write_text(STAND_IN.replace("notify.ready()", claims + "notify.ready()"))
    call(manager, "install", program)
    before = call(manager, "state")["pid"]
    done = call(manager, "install", program)
    assert (done["changed"], done["replaced"]) == (False, says.get("version", "0.1.0"))
    assert call(manager, "state")["pid"] != before


@pytest.mark.slow
def test_an_upgrade_takes_over_in_the_service_that_runs(manager: UserManager, tmp_path: Path) -> None:
    package = copied(tmp_path)
    program = tmp_path / "python"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(package.parent))}; export PYTHONPATH\n"
        f'exec {shlex.quote(sys.executable)} "$@"\n'
    )
    program.chmod(0o755)
    call(manager, "install", program)
    before = call(manager, "state")
    assert before["active"] and version() == __version__
    put_in_place(package, "99.0")
    eventually(lambda: version() == "99.0")
    after = call(manager, "state")
    assert after["active"] and after["pid"] == before["pid"]
    assert manager.show(UNIT, "SubState") == "running"
    assert manager.show(UNIT, "NRestarts") == "0"


@pytest.mark.slow
def test_uninstalling_leaves_no_trace(manager: UserManager, tmp_path: Path) -> None:
    call(manager, "install", stand_in(tmp_path))
    daemon = call(manager, "state")["pid"]
    assert call(manager, "uninstall") is True
    assert not psutil.pid_exists(daemon)
    config = unit_file().parent
    assert [path for path in config.rglob("*") if not path.is_dir()] == []
    assert call(manager, "state")["detail"] == "not running"
    assert call(manager, "uninstall") is False


@pytest.mark.slow
def test_an_edited_unit_is_neither_replaced_nor_removed(manager: UserManager, tmp_path: Path) -> None:
    call(manager, "install", stand_in(tmp_path))
    unit = unit_file()
    edited = unit.read_text().replace("RestartSec=2", "RestartSec=9")
    unit.write_text(edited)
    for verb in ("install", "uninstall"):
        answer = call(manager, verb)
        assert "was edited" in answer["error"] and "systemctl --user edit" in answer["hint"]
    assert unit.read_text() == edited
    assert call(manager, "state")["active"] is True


@pytest.mark.slow
def test_a_manager_that_looks_for_units_elsewhere_still_finds_ours(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with user_manager(home, **os.environ) as manager:
        manager.env["XDG_CONFIG_HOME"] = str(tmp_path / "shell's own")  # as a shell's start-up file may do
        done = call(manager, "install", stand_in(tmp_path))
        assert done["unit"] == str(tmp_path / "shell's own" / "systemd" / "user" / UNIT)
        said = json.loads((Path.home() / "said.json").read_text())
        assert said["env"]["XDG_CONFIG_HOME"] == str(tmp_path / "shell's own")
        assert call(manager, "state")["enabled"] is True
        assert call(manager, "uninstall") is True
        assert manager.show(UNIT, "LoadState") == "not-found"


@pytest.mark.slow
def test_a_daemon_that_does_not_start_is_told_of(manager: UserManager, tmp_path: Path) -> None:
    program = stand_in(tmp_path)
    program.write_text("#!/bin/sh\nexit 2\n")
    answer = call(manager, "install", program)
    assert "does not start" in answer["error"] and "exit-code" in answer["error"]
    assert "systemctl --user status" in answer["hint"]
    assert "failed" in call(manager, "state")["detail"]
    program.write_text(STAND_IN)
    assert "error" not in call(manager, "install", program)


@pytest.mark.slow
def test_restarts_by_hand_are_not_counted_as_failures(manager: UserManager, tmp_path: Path) -> None:
    call(manager, "install", stand_in(tmp_path))
    for _ in range(7):
        manager.systemctl("restart", UNIT)
    for _ in range(7):
        assert call(manager, "restart") is None
    assert call(manager, "state")["active"]
    manager.systemctl("stop", UNIT)
    assert call(manager, "restart") is None and call(manager, "state")["active"]


@pytest.mark.slow
def test_a_daemon_that_fails_again_and_again_is_given_up(manager: UserManager, tmp_path: Path) -> None:
    program = stand_in(tmp_path)
    call(manager, "install", program)
    program.write_text("#!/bin/sh\nexit 1\n")
    manager.systemctl("kill", "--signal=KILL", UNIT)
    eventually(lambda: "failed" in call(manager, "state")["detail"], 60)
    assert int(manager.show(UNIT, "NRestarts")) <= 5
    program.write_text(STAND_IN)
    assert call(manager, "restart") is None and call(manager, "state")["active"]


def test_restarting_what_is_not_installed_says_the_way(home: Path) -> None:
    with pytest.raises(WtwatchError, match="not installed") as refused:
        service.restart()
    assert refused.value.hint == "wtwatch service install"


@pytest.mark.slow
def test_a_killed_daemon_is_started_again(manager: UserManager, tmp_path: Path) -> None:
    call(manager, "install", stand_in(tmp_path))
    killed = call(manager, "state")["pid"]
    psutil.Process(killed).kill()
    eventually(lambda: manager.show(UNIT, "MainPID") not in ("0", str(killed)))


def test_without_systemctl_the_way_out_is_named_and_nothing_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(WtwatchError, match="systemctl is not on PATH") as caught:
        service.install()
    assert caught.value.hint is not None and "tmux" in caught.value.hint
    assert not unit_file().exists()


def test_without_a_user_manager_the_way_out_is_named_and_nothing_is_written(home: Path) -> None:
    with pytest.raises(WtwatchError, match="no systemd for your own services") as caught:
        service.install()
    assert caught.value.hint is not None
    assert "loginctl enable-linger" in caught.value.hint and "wtwatch watch" in caught.value.hint
    assert not unit_file().exists()


def test_the_state_can_be_asked_where_there_is_no_user_manager(home: Path) -> None:
    state = service.state()
    assert (state.installed, state.enabled, state.active, state.pid) == (False, False, False, None)
    assert "no systemd for your own services" in state.detail


@pytest.mark.parametrize("verb", [service.install, service.uninstall])
def test_a_unit_that_somebody_else_wrote_is_left_alone(verb: Any, home: Path) -> None:
    unit = unit_file()
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(WtwatchError, match="was not written by wtwatch"):
        verb()
    assert unit.read_text() == "[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize("verb", [service.install, service.uninstall])
def test_a_unit_that_is_a_link_is_left_alone(verb: Any, home: Path) -> None:
    unit = unit_file()
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")  # masked
    with pytest.raises(WtwatchError, match="is not a file of wtwatch"):
        verb()
    assert unit.is_symlink()


def test_uninstalling_what_is_not_installed_is_no_error(home: Path) -> None:
    assert service.uninstall() is False


def test_a_path_that_systemd_cannot_have_is_refused() -> None:
    with pytest.raises(WtwatchError, match="not UTF-8"):
        service.unit_word("/home/\udce9")


def wtwatch(manager: UserManager, *words: str) -> str:
    """Run the real command line beside the manager."""
    return manager.run(sys.executable, "-P", "-m", "wtwatch", *words).stdout


@pytest.mark.slow
def test_the_real_daemon_is_active_once_it_is_installed(manager: UserManager) -> None:
    assert str(unit_file()) in wtwatch(manager, "service", "install")
    state = call(manager, "state")
    assert state["active"] and state["detail"].startswith("0 projects")
    assert state["pid"] == holder(daemon_file())
    assert manager.show(UNIT, "WatchdogUSec") == "1min"
    wtwatch(manager, "service", "uninstall")
    assert holder(daemon_file()) is None
    assert manager.show(UNIT, "Result") == "success"


@pytest.mark.slow
def test_a_daemon_that_is_stuck_is_replaced(manager: UserManager) -> None:
    wtwatch(manager, "service", "install")
    drop_in = unit_file().with_name(UNIT + ".d") / "short.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nWatchdogSec=2\n")
    manager.systemctl("daemon-reload")
    manager.systemctl("restart", UNIT)
    stuck = call(manager, "state")["pid"]
    psutil.Process(stuck).suspend()
    eventually(lambda: call(manager, "state")["pid"] not in (None, stuck))


@pytest.mark.slow
def test_a_second_daemon_beside_one_started_by_hand_is_refused(manager: UserManager) -> None:
    by_hand = subprocess.Popen([sys.executable, "-P", "-m", "wtwatch", "watch"], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: holder(daemon_file()) == by_hand.pid)
        answer = call(manager, "install")
        assert f"(pid {by_hand.pid})" in answer["error"]
        assert not unit_file().exists()
    finally:
        by_hand.terminate()
        assert by_hand.wait(PATIENCE) == 0
    assert "error" not in call(manager, "install")


@pytest.mark.slow
def test_a_job_outlives_a_restart_of_the_service_and_is_taken_up_again(
    lab: Lab, manager: UserManager
) -> None:
    lab.wtwatch("init")
    wtwatch(manager, "service", "install")
    gate = lab.gate()
    lab.queue_plots("--now", subjects=["240226I"], drugs=["LSD"], options=gate.words)
    eventually(gate.reached)
    before = call(manager, "state")["pid"]
    manager.systemctl("restart", UNIT)
    after = call(manager, "state")["pid"]
    assert after != before
    assert [job["state"] for job in lab.jobs()] == ["running"]
    gate.open()
    eventually(lambda: [job["state"] for job in lab.jobs()] == ["succeeded"], 60)
    assert call(manager, "state")["pid"] == after
    assert lab.jobs()[0]["attempt"] == 1


@pytest.mark.slow
def test_a_job_that_was_forked_outlives_a_restart_of_the_service(lab: Lab, manager: UserManager) -> None:
    lab.wtwatch("init")
    wtwatch(manager, "service", "install")
    gates = queue_gated(lab)
    process = first_warm(lab, gates)
    manager.systemctl("restart", UNIT)
    assert process.is_running()
    for gate in gates:
        gate.open()
    ends(lab, *["succeeded"] * len(gates))
    assert [job["attempt"] for job in lab.jobs()] == [1] * len(gates)


@pytest.mark.slow
def test_a_job_that_ended_while_the_service_was_stopped_is_not_run_again(
    lab: Lab, manager: UserManager
) -> None:
    lab.wtwatch("init")
    wtwatch(manager, "service", "install")
    gate = lab.gate()
    lab.queue_plots("--now", subjects=["240226I"], drugs=["LSD"], options=gate.words)
    eventually(gate.reached)
    before = lab.commit("HEAD", lab.run)
    manager.systemctl("stop", UNIT)
    gate.open()
    eventually(lambda: lab.commit("HEAD", lab.run) != before, 60)
    manager.systemctl("start", UNIT)
    eventually(lambda: [job["state"] for job in lab.jobs()] == ["succeeded"], 60)
    assert lab.jobs()[0]["attempt"] == 1


ASKED = """
import os, pty, subprocess, sys
terminal, end = pty.openpty()
process = subprocess.Popen([sys.executable, "-P", "-m", "wtwatch", "init", "--env", "none"],
                           cwd=sys.argv[1], stdin=end, stdout=end, stderr=end)
os.close(end)
text, answered = b"", 0
try:
    while piece := os.read(terminal, 65536):
        text += piece
        if text.count(b"[y/N]:") > answered:
            answered += 1
            os.write(terminal, sys.argv[2].encode() + b"\\n")
except OSError:
    pass
sys.exit(print(text.decode()) or process.wait())
"""


@pytest.mark.slow
def test_init_offers_the_service_at_a_terminal_and_takes_silence_for_no(
    lab: Lab, manager: UserManager
) -> None:
    plain = manager.run(sys.executable, "-P", "-m", "wtwatch", "init", "--env", "none", folder=lab.main)
    assert "[y/N]" not in plain.stdout and not unit_file().exists()
    for answer in ("", "n"):
        said = manager.run(sys.executable, "-c", ASKED, lab.main, answer).stdout
        assert said.count("[y/N]") == 1 and "Next: wtwatch service install" in said
        assert not unit_file().exists()
    said = manager.run(sys.executable, "-c", ASKED, lab.main, "y").stdout
    assert "The service runs." in said and said.rstrip().endswith("Next: wtwatch status.")
    assert manager.systemctl("is-active", UNIT) == "active"
    assert "[y/N]" not in manager.run(sys.executable, "-c", ASKED, lab.main, "y").stdout
