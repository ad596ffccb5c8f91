"""Whole files and locks, proven between real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import eventually
from wtwatch.doors.files import (
    claim,
    held,
    holder,
    make_within,
    ring,
    write_whole,
)
from wtwatch.words.errors import Busy

READ_A_LINE = "import sys; sys.stdin.readline()"


@contextmanager
def child(program: str, *args: object, pass_fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run a program of Python beside the test; the body begins when it has said `ready`."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    ) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


CLAIMS = """
import sys; from pathlib import Path; from wtwatch.doors.files import claim
kept = claim(Path(sys.argv[1])); assert kept is not None
print("ready", flush=True); sys.stdin.readline()
"""

HOLDS = """
import sys; from pathlib import Path; from wtwatch.doors.files import held
with held(Path(sys.argv[1])):
    print("ready", flush=True); sys.stdin.readline()
"""

WRITES = """
import sys; from pathlib import Path; from wtwatch.doors.files import write_whole
file = Path(sys.argv[1])
write_whole(file, "a" * 300_000)
print("ready", flush=True)
while True:
    for letter in "ba":
        write_whole(file, letter * 300_000)
"""

HAS_NO_ROOM = """
import resource, sys; from pathlib import Path; from wtwatch.doors.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_whole(Path(sys.argv[1]), "new" * 1000)
"""


def test_what_is_written_is_read_back_whatever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "ünïcode"
    file.parent.mkdir()
    text = "line\nüber \udcff\n"  # the last is a byte of a path that is no UTF-8
    write_whole(file, text)
    assert file.read_text(encoding="utf-8", errors="surrogateescape") == text
    assert list(file.parent.iterdir()) == [file]


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "state"
    for _ in range(5):
        with child(WRITES, file) as writer:
            writer.kill()
        assert file.read_text() in ("a" * 300_000, "b" * 300_000)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "state"
    file.parent.mkdir()
    write_whole(file, "old")
    answer = subprocess.run(
        [sys.executable, "-c", HAS_NO_ROOM, str(file)], capture_output=True, text=True, check=False
    )
    assert "File too large" in answer.stderr
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    write_whole(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "new \ud800")
    assert file.read_text() == "old"


def test_one_process_holds_a_claim_and_others_learn_its_pid(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    assert holder(file) is None
    with child(CLAIMS, file) as claimer:
        assert holder(file) == claimer.pid
        assert claim(file) is None
        assert holder(file) == claimer.pid, "asking took the claim away"
        claimer.kill()
        claimer.wait()
        assert holder(file) is None
    handle = claim(file)
    assert handle is not None
    os.close(handle)


def test_a_lock_is_refused_while_held_and_free_after(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "tree.lock"
    lock.parent.mkdir()
    with held(lock):
        with pytest.raises(Busy, match="works on the run tree"), held(lock):
            pass
        with pytest.raises(Busy, match="works on the queue"), held(lock, what="the queue"):
            pass
    with held(lock):
        pass


def test_a_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "tree.lock"
    with child(HOLDS, lock) as other:
        with pytest.raises(Busy), held(lock):
            pass
        other.kill()
        with held(lock, wait=20):
            pass


def test_a_child_that_inherits_a_lock_goes_on_holding_it(tmp_path: Path) -> None:
    lock = tmp_path / "tree.lock"
    with held(lock) as handle:
        heir = subprocess.Popen(
            [sys.executable, "-c", READ_A_LINE], stdin=subprocess.PIPE, pass_fds=[handle], close_fds=True
        )
    with heir:
        with pytest.raises(Busy), held(lock):
            pass
        heir.communicate(b"\n")
    with held(lock):
        pass


def test_a_child_that_was_not_given_a_lock_does_not_hold_it(tmp_path: Path) -> None:
    lock = tmp_path / "tree.lock"
    with held(lock):
        stranger = subprocess.Popen([sys.executable, "-c", READ_A_LINE], stdin=subprocess.PIPE)
    with stranger:
        with held(lock):
            pass
        stranger.communicate(b"\n")


def test_a_bell_rings_where_somebody_listens_and_is_silent_elsewhere(tmp_path: Path) -> None:
    ring(tmp_path / "no folder" / "bell")
    assert not (tmp_path / "no folder").exists()
    bell = tmp_path / "bell"
    ring(bell)
    before = bell.stat().st_mtime_ns

    def rings_anew() -> bool:
        ring(bell)
        return bell.stat().st_mtime_ns > before

    eventually(rings_anew)


def test_nothing_is_written_where_a_folder_went_away(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "state"
    for write in (
        lambda: write_whole(gone / "file", "text"),
        lambda: held(gone / "lock").__enter__(),
        lambda: make_within(gone, gone / "jobs" / "1.1"),
    ):
        with pytest.raises(FileNotFoundError):
            write()
    assert not gone.parent.exists()
    make_within(tmp_path, tmp_path / "jobs" / "1.1")
    make_within(tmp_path, tmp_path / "jobs" / "1.1")
    assert (tmp_path / "jobs" / "1.1").is_dir()
