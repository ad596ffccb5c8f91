"""A wait for a program ends with it, and hears of each signal meanwhile."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, subprocess, sys, threading
from pathlib import Path
from wtwatch.doors import waiting

class Told(BaseException):
    pass

def told(*_):
    raise Told

signal.signal(signal.SIGTERM, told)
over = threading.Event()
other = threading.Thread(target=over.wait, daemon=True)
other.start()

begins = threading.Event()

def tell():
    begins.wait()
    if sys.argv[2:]:
        while Path(f"/proc/self/task/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            pass  # the first thread is about to wait
        signal.pthread_kill(other.ident, signal.SIGTERM)

threading.Thread(target=tell, daemon=True).start()
with waiting.heard() as hear:
    process = subprocess.Popen(sys.argv[1], shell=True, stdin=subprocess.DEVNULL)
    try:
        begins.set()
        status, taken = waiting.wait(process.pid, hear)
        print(os.waitstatus_to_exitcode(status), taken.ru_maxrss > 0)
    except Told:
        print("told", "its end" if not Path(f"/proc/{process.pid}").exists() else "at once")
        process.kill()
        process.wait()
print(signal.getsignal(signal.SIGCHLD)(signal.SIGCHLD, None), signal.set_wakeup_fd(-1))
"""


def answers(*words: str) -> list[str]:
    """Return what comes of waiting for a command; with one word more another thread is told to end."""
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_a_signal_that_came_to_another_thread_ends_the_wait() -> None:
    """As one does that comes while a program is started, for which the first thread blocks all."""
    assert answers("exec sleep 50 >/dev/null", "tell")[-2:] == ["told at once", "None -1"]


def test_how_it_ended_and_what_it_took_is_told() -> None:
    assert answers("sleep 0.1 & exit 7") == ["7 True", "None -1"]
