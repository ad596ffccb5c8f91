"""What is given to Slurm, and what is made of its answers; tests/slurm tries all of it on a real one."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab import eventually
from wtwatch.doors.processes import identity
from wtwatch.doors.slurm import Listed
from wtwatch.job import elsewhere, slurm
from wtwatch.job.attempt import FORCED_AFTER, LOCK, MARK, Folder, Result
from wtwatch.job.executor import Handle, Life, Seen
from wtwatch.job.slurmlook import Look, Looks
from wtwatch.words.executors import Place
from wtwatch.words.model import now
from wtwatch.words.resources import Resources


@pytest.fixture
def handle(tmp_path: Path) -> Handle:
    folder = Folder(tmp_path / "state" / "jobs" / "1.1")
    folder.path.mkdir(parents=True)
    return Handle(secrets.token_hex(8), folder)  # a script ends all that bear its name


def test_a_job_asks_for_what_it_needs_and_the_settings_of_the_project_come_last(handle: Handle) -> None:
    place = Place("slurm", "long", "lab", ("--qos=x",))
    words = slurm._options(handle, Path("/run"), Resources(2, 20_000, 5_401, 1), place)
    assert words[0] == f"--job-name={slurm.name_of(handle.uuid)}" and "--no-requeue" in words
    assert words[-7:] == [
        "--cpus-per-task=2", "--mem=19074M", "--time=91", "--gres=gpu:1", "--partition=long", "--account=lab",
        "--qos=x",
    ]  # fmt: skip


def test_nothing_that_only_this_host_has_goes_to_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "_kill_wait", lambda: 30)
    given = {"TMPDIR": "/here", "SLURM_JOB_ID": "9", MARK: "x", LOCK: "3", "SSH_AUTH_SOCK": "s", "HOME": "/h"}
    assert slurm._environment(given) == {"HOME": "/h", FORCED_AFTER: "30"}


def test_the_script_of_a_node_is_sound_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = Folder(tmp_path / 'it\'s $HOME; "x" y')
    folder.path.mkdir()
    handle = Handle(secrets.token_hex(8), folder)
    script = slurm._script(handle, ["touch", str(folder.path / "outcome")], Place())
    subprocess.run(["bash", "-e", "-s"], input=script, text=True, check=True)
    assert (folder.path / "outcome").exists()


def test_the_script_has_the_exit_code_of_its_process_and_ends_what_that_left(handle: Handle) -> None:
    left = handle.folder.path / "left"
    command = ["sh", "-c", f"sleep 600 > /dev/null & echo $! > {left}; exit 7"]
    script = slurm._script(handle, command, Place(setup="export A=1"))
    assert subprocess.run(["bash", "-s"], input=script, text=True, check=False).returncode == 7
    assert identity(int(left.read_text())) is None


def test_an_attempt_is_claimed_once_and_given_up_only_if_nobody_did(handle: Handle) -> None:
    gone = Result(None, (), now(), "never", began=False)
    assert not elsewhere.is_claimed(handle.folder)
    assert elsewhere.claim(handle.folder, "me")
    assert not elsewhere.claim(handle.folder, "me too")
    assert not elsewhere.give_up(handle.folder, gone)
    assert handle.folder.result() is None


def test_one_that_was_given_up_says_so_and_never_begins(handle: Handle) -> None:
    assert elsewhere.give_up(handle.folder, Result(None, (), now(), "never", began=False))
    found = handle.folder.result()
    assert found is not None and (found.error, found.began) == ("never", False)
    assert not elsewhere.claim(handle.folder, "late")


def test_signs_of_life_change_while_it_lives(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "BEAT", 0.01)
    with elsewhere.living(handle.folder):
        first = eventually(lambda: elsewhere.beat(handle.folder))
        eventually(lambda: elsewhere.beat(handle.folder) != first)


def test_a_job_that_waits_in_an_old_answer_and_has_begun_since_is_not_taken_for_put_back(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = slurm.Slurm(Place("slurm"), looks := Looks())
    ended: list[object] = []
    monkeypatch.setattr(looks, "end", lambda names, force: ended.append(names))
    elsewhere.claim(handle.folder, "its process")
    name = slurm.name_of(handle.uuid)
    listed = {name: Listed("1", name, "PENDING", "None", "")}
    assert executor._seen(handle, Look(0.0, listed, {})).life is Life.QUEUED
    assert not ended


def test_no_answer_is_never_an_end(handle: Handle) -> None:
    executor = slurm.Slurm(Place("slurm"), Looks(), grace=0, silence=0)
    assert executor._seen(handle, None).life is Life.UNKNOWN
    assert executor._seen(handle, Look(0.0, None, None, "Slurm does not answer")).life is Life.UNKNOWN
    assert not elsewhere.is_claimed(handle.folder)


def test_one_that_never_reached_slurm_waits_again_and_can_not_begin_late(handle: Handle) -> None:
    executor = slurm.Slurm(Place("slurm"), looks := Looks(), grace=0)
    looks.forget(slurm.name_of(handle.uuid))
    look = Look(time.monotonic(), {}, {})
    assert executor._seen(handle, look).life is Life.UNKNOWN  # the look began before it was asked for
    looks._first[slurm.name_of(handle.uuid)] = look.begun - 1
    assert executor._seen(handle, look) == Seen(Life.GONE, "it never reached Slurm")
    found = handle.folder.result()
    assert found is not None and not found.began
    assert not elsewhere.claim(handle.folder, "a job that comes late")


def test_one_that_slurm_forgot_is_over_when_it_is_silent_and_a_second_look_says_so(handle: Handle) -> None:
    executor = slurm.Slurm(Place("slurm"), looks := Looks(), silence=0)
    looks._first[slurm.name_of(handle.uuid)] = -1.0
    elsewhere.claim(handle.folder, "its process")
    first, second = Look(1.0, {}, None), Look(2.0, {}, None)
    assert executor._seen(handle, first).life is Life.UNKNOWN
    assert executor._seen(handle, first).life is Life.UNKNOWN
    assert executor._seen(handle, second).life is Life.GONE
