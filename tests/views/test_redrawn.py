"""`status --live`, on a terminal and where there is none."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import eventually
from wtwatch.project import config
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue

LIVE = (sys.executable, "-P", "-m", "wtwatch", "status", "--live")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    config.write_project(house.project)
    register("p", house.project.state)
    return house


class Terminal:
    """What a program that runs on a terminal of so many rows has written there."""

    def __init__(self, handle: int) -> None:
        self.handle, self.text = handle, ""
        self.decoder = getincrementaldecoder("utf-8")()  # what is read may end within a letter

    def has(self, text: str) -> bool:
        with os.fdopen(os.dup(self.handle), "rb", buffering=0) as stream:
            os.set_blocking(stream.fileno(), False)
            with suppress(OSError):  # of a terminal that ended with its last writer
                while more := stream.read(65536):  # a part at a time
                    self.text += self.decoder.decode(more)
        return text in self.text


@contextmanager
def terminal(house: House, rows: int, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    env = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    with subprocess.Popen(
        [*LIVE, *words], cwd=house.project.main_tree, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            yield process, Terminal(ours)
        finally:
            process.kill()
            process.wait()
            os.close(ours)


def test_it_draws_over_what_it_drew_until_ctrl_c(house: House) -> None:
    with terminal(house, 40) as (process, seen):
        eventually(lambda: seen.has("bookmark"))
        assert not seen.has("paused")
        Queue(house.project.state).pause()
        eventually(lambda: seen.has("paused: nothing starts"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert seen.has("\x1b[?25h"), "the cursor is back"
    first, second, *_ = seen.text.split("\x1b[?25l")[1].split("F", 1)
    rows = first.rpartition("\x1b[")[2]
    assert int(rows) == first.count("\n"), "back to where it began"
    assert "bookmark" in second and "Traceback" not in seen.text


def test_it_is_cut_to_the_height_of_the_terminal(house: House) -> None:
    with terminal(house, 4) as (_, seen):
        eventually(lambda: seen.has("\x1b[3F"))
        assert "daemon" not in seen.text


def test_a_terminal_that_does_not_say_how_high_it_is_shows_as_much_as_most_do(house: House) -> None:
    with terminal(house, 0) as (_, seen):
        eventually(lambda: seen.has("bookmark") and seen.has("daemon"))


@pytest.mark.parametrize("words", [(), ("--json",), ("--short",)])
def test_without_a_terminal_it_says_the_way_out(house: House, say: Say, words: tuple[str, ...]) -> None:
    said = say(house.project.main_tree, "status", "--live", *words, code=2)
    assert said.out == "" and "--json" in said.err and "Hint" in said.err
