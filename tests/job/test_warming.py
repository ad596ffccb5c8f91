"""Who starts jobs quickly is no hindrance: not ready, dead, slow, of another version, or of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import eventually
from wtwatch import __version__
from wtwatch.doors.processes import identity, is_alive
from wtwatch.job import warming
from wtwatch.job.warming import Warming

STAND_IN = f"""
import os, socket, sys
control = socket.socket(fileno=int(sys.argv[-1]))
def say(word={__version__!r}):
    control.send(word.encode())
def channel():
    return socket.socket(fileno=socket.recv_fds(control, 1, 3)[1][0])
"""
"""The beginning of a program that stands for the process; it says what a test wants."""

Stand = Callable[[str], Warming]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Begin a process that does as a test wants."""
    made: list[Warming] = []

    def begun(script: str) -> Warming:
        made.append(Warming([sys.executable, "-I", "-S", "-c", STAND_IN + script]))
        made[-1].expect()
        return made[-1]

    yield begun
    for one in made:
        one.close()


def asked(one: Warming, within: float = 60.0) -> int | None:
    """Ask for an attempt, of which only the descriptors and words are of interest."""
    with Path(os.devnull).open("ab") as log:
        return one.start(Path("/attempt"), {"A": "ü\udcff"}, Path("/"), log.fileno(), within)


def begun_by(one: Warming) -> subprocess.Popen[bytes]:
    assert one._process is not None
    return one._process


def ended(one: Warming, process: subprocess.Popen[bytes]) -> bool:
    one.expect()
    return process.returncode is not None


def test_nobody_waits_for_what_is_still_being_loaded(stand: Stand) -> None:
    one = stand("control.recv(1)")
    assert asked(one) is None
    process = begun_by(one)
    one.expect()
    one.rest()
    assert begun_by(one) is process and process.poll() is None


@pytest.mark.parametrize("script", ["", "say('0.0.1'); control.recv(1)"], ids=["it ends", "other version"])
def test_one_that_is_of_no_use_is_not_begun_again_and_again(
    stand: Stand, script: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = stand(script)
    process = begun_by(one)
    eventually(lambda: ended(one, process))
    assert asked(one) is None
    one.expect()
    assert one._process is None and caplog.text.count("jobs start slowly") == 1
    monkeypatch.setattr(one, "_not_before", 0.0)
    one.expect()
    assert begun_by(one) is not process


@pytest.mark.parametrize(
    "script",
    ["channel().close()", "channel().send(b'?'); control.recv(1)", "kept = channel(); control.recv(1)"],
    ids=["ends without a word", "says something else", "says nothing"],
)
def test_who_is_not_ready_in_time_has_not_begun_and_is_ended(
    stand: Stand, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stand(f"say(); {script}")
    eventually(lambda: one.pid)
    process = begun_by(one)
    monkeypatch.setattr(warming, "ANSWER", 0.05 if "kept" in script else 60.0)
    assert asked(one) is None
    assert process.returncode is not None and one.pid is None


def test_one_that_was_killed_is_no_hindrance(stand: Stand) -> None:
    one = stand("say(); channel()")
    pid = eventually(lambda: one.pid)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert asked(one) is None


@pytest.mark.parametrize(
    ("then", "code"),
    [("one.recv(1); one.send(b'!')", 0), ("one.recv(1)", 1), ("control.recv(1)", -signal.SIGALRM)],
    ids=["started", "gone", "hangs"],
)
def test_behind_the_word_to_go_it_has_begun_whatever_comes(stand: Stand, then: str, code: int) -> None:
    one = stand(
        f"say(); one = channel(); text = one.recv(9999); assert b'udcff' in text; one.send(b'r'); {then}"
    )
    eventually(lambda: one.pid)
    assert asked(one, 0.2 if code < 0 else 60.0) == code


def test_it_is_ended_when_no_job_is_due_any_more_and_begun_anew_when_one_is(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stand("say(); control.recv(1)")
    pid = eventually(lambda: one.pid)
    assert pid is not None
    known = identity(pid)
    one.rest()
    assert one.pid == pid and known
    monkeypatch.setattr(warming, "IDLE", 0.0)
    one.rest()
    assert one.pid is None and not is_alive(known)
    one.expect()
    assert eventually(lambda: one.pid)


def test_a_program_that_is_not_there_is_no_hindrance() -> None:
    one = Warming(["/nowhere/python"])
    one.expect()
    one.rest()
    assert asked(one) is None
    one.close()
