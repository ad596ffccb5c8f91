"""A fork that works beside its process: it answers, is not in the way, and does not stay behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import eventually
from tests.tally import Kills

BEGIN = """
import os, signal, socket, sys, time
from wtwatch.doors.forked import Forked
from wtwatch.words.errors import WtwatchError
handle = os.open(sys.argv[1], os.O_RDONLY)
def answer(word):
    if word == b"w":  # it works, and never comes to an end
        print("at work", os.getpid(), flush=True)
        time.sleep(600)
    try:
        os.fstat(handle)
        seen = "the file is open here, too"
    except OSError:
        seen = "closed"
    return [word.decode(), os.getcwd(), seen]
fork = Forked(answer)
"""


@contextmanager
def running(tmp_path: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """A process with a fork, which goes on as told."""
    (tmp_path / "file").touch()
    words = [sys.executable, "-c", BEGIN + then, str(tmp_path / "file")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}/stat").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_it_answers_what_is_asked_elsewhere_and_with_nothing_of_its_process_open(tmp_path: Path) -> None:
    both = "while fork._channel.recv(99, socket.MSG_PEEK).count(b']') < 2: pass\n"  # they come together
    then = f"fork.ask(b'a'); fork.ask(b'b')\n{both}print(fork.answer(), fork.answer())"
    with running(tmp_path, then + "; print(fork.let_go(), fork.wait())") as process:
        assert said(process) == "['a', '/', 'closed'] ['b', '/', 'closed']"
        assert said(process) == "True None" and process.wait() == 0


def test_who_ends_all_processes_of_a_job_does_not_mean_it_and_one_that_is_ended_is_known(
    tmp_path: Path,
) -> None:
    then = (
        "fork.ask(b'a'); fork.answer(); os.kill(fork.pid, signal.SIGTERM); fork.ask(b'b')\n"
        "print(fork.answer()[0])\n"
        "os.kill(fork.pid, signal.SIGKILL)\n"
        "try: fork.ask(b'c'); fork.answer()\n"
        "except WtwatchError as error: print(error)\n"
        "print(os.waitid(os.P_PID, fork.pid, os.WEXITED | os.WNOWAIT).si_status, fork.let_go(), fork.wait())"
    )
    with running(tmp_path, then) as process:
        assert said(process) == "b"
        assert "has ended" in said(process)
        assert said(process) == "9 False None" and process.wait() == 0


def test_it_ends_with_its_process_though_it_is_at_work(tmp_path: Path, kills: Kills) -> None:
    with running(tmp_path, "fork.ask(b'w'); fork.answer()") as process:
        pid = int(said(process).removeprefix("at work "))
        with kills.survived("a process with a fork at work"):
            process.kill()
            process.wait()
            eventually(lambda: is_gone(pid))


def test_a_signal_is_heard_while_its_answer_is_waited_for(tmp_path: Path) -> None:
    then = (
        "class Stopped(BaseException): pass\n"
        "def stop(number, frame): raise Stopped\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "fork.ask(b'w')\n"
        "try: fork.answer()\n"
        "except Stopped: print(fork.let_go(), fork.wait())"
    )
    with running(tmp_path, then) as process:
        pid = int(said(process).removeprefix("at work "))
        os.kill(process.pid, signal.SIGTERM)
        assert said(process) == "True None"
        assert is_gone(pid), "though it was at work"
