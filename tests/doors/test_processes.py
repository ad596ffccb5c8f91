"""Who a process is, and what it was given: real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.at_work import at_work
from tests.lab import eventually
from wtwatch.doors import proc, processes
from wtwatch.doors.processes import bears, describe, identity, is_alive, send, serves
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Process

NOBODY = 65534


@pytest.mark.parametrize("name", ["a) b (c", "(", "x y", "gé"])
def test_any_name_is_read_right(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    shutil.copy(shutil.which("cat") or "", program)
    with at_work(tmp_path, program) as known:
        found, since = describe(known.pid), datetime.fromtimestamp(known.create_time(), UTC)
        assert found is not None and abs(found.since - since) < timedelta(seconds=2)  # as a clock is set
        assert found == Process(known.pid, name, found.since, str(program))


def test_a_process_is_the_same_as_long_as_it_lives() -> None:
    with at_work(Path("/"), "cat") as known:
        first = identity(known.pid)
        assert first is not None
        assert identity(known.pid) == first
        assert is_alive(first)
    assert identity(known.pid) is None
    assert not is_alive(first)


def test_a_pid_alone_is_never_believed() -> None:
    me = identity(os.getpid())
    assert me is not None
    assert is_alive(me)
    assert not is_alive(me._replace(ticks=me.ticks - 1))
    assert not is_alive(me._replace(boot="another boot"))


def test_a_clock_that_is_set_makes_nobody_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own `btime`, which all wall-clock starts come from, moves when the clock is set."""
    me, since = identity(os.getpid()), processes._booted()
    monkeypatch.setattr(processes, "_booted", lambda: since + 5)
    assert me is not None and is_alive(me) and identity(os.getpid()) == me


def test_a_process_serves_whom_it_descends_from_unless_it_is_in_a_session_of_its_own() -> None:
    with at_work(Path("/"), "cat") as helper, at_work(Path("/"), "setsid", "cat", name="cat") as job:
        assert serves(helper.pid, os.getpid()) and not serves(os.getpid(), helper.pid)
        assert not serves(job.pid, os.getpid()) and not serves(helper.pid, job.pid)
    assert serves(helper.pid, job.pid), "one that is over keeps nobody waiting"


def test_a_process_bears_what_it_was_given_in_its_environment() -> None:
    with at_work(Path("/"), "env", "MARK=größe", "setsid", "cat", name="cat") as known:
        assert bears(known.pid, "MARK", "größe") and not bears(known.pid, "MARK", "gr")
    assert not bears(known.pid, "MARK", "größe")


def as_another_user(act: Callable[[], None]) -> str:
    """Do something as user `nobody`, for which one has to be root; return what it came to."""
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            act()
            os.write(say, b"nothing wrong")
        except WtwatchError as error:
            os.write(say, f"{error.message} {error.hint}".encode())
        finally:
            os._exit(0)
    os.close(say)
    os.waitpid(child, 0)
    with os.fdopen(said) as answer:
        return answer.read()


@pytest.mark.needs_root("start processes of two users")
def test_a_process_of_another_user_keeps_none_of_the_others_from_being_told(tmp_path: Path) -> None:
    with (
        at_work(tmp_path, "cat") as theirs,
        subprocess.Popen(["cat"], cwd="/", stdin=subprocess.PIPE, user=NOBODY) as mine,
    ):
        told = as_another_user(lambda: send([theirs.pid, mine.pid], signal.SIGTERM))
        assert f"cat (pid {theirs.pid}): of another user" in told and f"sudo kill {theirs.pid}" in told
        assert str(mine.pid) not in told
        assert mine.wait(10) == -signal.SIGTERM
        assert theirs.is_running()


def test_a_process_that_is_over_is_passed_over_when_all_are_told() -> None:
    with subprocess.Popen(["true"]) as over, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as cat:
        over.wait()
        send([over.pid, cat.pid], signal.SIGTERM)
        assert cat.wait(10) == -signal.SIGTERM


def test_how_long_a_process_has_been_there_is_known_to_a_fraction_of_a_second() -> None:
    before = time.monotonic()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        age = processes.age(process.pid)
        assert -0.02 <= age <= time.monotonic() - before + 0.02
    assert processes.age(process.pid) == 0.0


def test_who_has_given_its_memory_back_is_ending() -> None:
    assert not proc.is_ending(os.getpid())
    with subprocess.Popen(["true"]) as over:  # which nobody waits for until then
        eventually(lambda: proc.is_ending(over.pid))
    assert not proc.is_ending(over.pid), "nobody is there any more"
