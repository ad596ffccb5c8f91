"""The file of the queue: it is whole after a crash, and its loss is noticed; no number is given out twice."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.full_disk import fill, mounted
from tests.queue.samples import A, commands, specs
from wtwatch.queue.database import MIGRATIONS, Unusable, changing, reading
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, JobSpec, Running, Trigger, now


def add(queue: Queue, number: int = 1) -> list[Job]:
    return queue.add([JobSpec("true")] * number, Trigger.NOW, A)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


losses = pytest.mark.parametrize("lose", [Path.unlink, emptied])


def test_a_queue_that_was_never_used_or_is_used_is_not_lost(queue: Queue) -> None:
    assert queue.lost() is None
    add(queue)
    assert queue.lost() is None
    assert Queue(queue.file.parent).lost() is None


@losses
def test_a_file_that_is_gone_or_empty_is_told_until_that_was_seen(
    queue: Queue, lose: Callable[[Path], None]
) -> None:
    add(queue)
    lose(queue.file)
    assert queue.lost() and queue.jobs() == []
    add(queue)
    found = queue.lost()
    assert found and queue.lost() == found
    queue.accept_loss()
    assert queue.lost() is None
    lose(queue.file)
    assert queue.lost(), "it is told again when it happens again"


@losses
def test_numbers_of_lost_jobs_that_have_folders_are_not_given_out_again(
    queue: Queue, lose: Callable[[Path], None]
) -> None:
    add(queue, 12)
    for name in ("3.1", "11.2", "9.1~1", "notes", "x.1"):
        (queue.file.parent / "jobs" / name).mkdir(parents=True)
    lose(queue.file)
    assert [job.id for job in add(queue, 2)] == [12, 13]


def test_the_loss_of_a_file_that_an_older_version_made_is_told_by_the_folders_of_its_jobs(
    queue: Queue,
) -> None:
    (queue.file.parent / "jobs" / "3.1").mkdir(parents=True)
    assert queue.lost()
    assert [job.id for job in add(queue)] == [4]
    assert queue.lost()


class Going(type(Path())):  # type: ignore[misc]
    """A file that goes away directly after somebody looked whether it is there."""

    def exists(self) -> bool:
        was_there = bool(super().exists())
        self.unlink(missing_ok=True)
        return was_there


def test_a_file_that_goes_away_while_it_is_opened_is_as_one_that_is_not_there(queue: Queue) -> None:
    queue.add(specs("true"), Trigger.NOW, A)
    with reading(Going(queue.file)) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0


def test_the_file_is_for_the_user_alone_and_has_a_rollback_journal(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    assert stat.S_IMODE(queue.file.stat().st_mode) == 0o600
    with closing(sqlite3.connect(queue.file)) as db, db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


def test_a_file_of_a_newer_wtwatch_is_left_alone(queue: Queue) -> None:
    queue.add(specs("one"), Trigger.NOW, A)
    with closing(sqlite3.connect(queue.file)) as db, db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(WtwatchError, match="newer wtwatch"):
        queue.jobs()


def test_a_damaged_file_is_named_and_not_overwritten(queue: Queue) -> None:
    queue.file.parent.mkdir()
    queue.file.write_bytes(b"no database " * 1000)
    for attempt in (queue.jobs, queue.pause):
        with pytest.raises(WtwatchError, match="damaged"):
            attempt()
    assert queue.file.read_bytes().startswith(b"no database")


def test_a_process_killed_while_it_writes_leaves_the_last_whole_state(queue: Queue) -> None:
    queue.add(specs("before"), Trigger.NOW, A)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from wtwatch.queue.database import changing\n"
            "with changing(Path(sys.argv[1])) as db:\n"
            "    db.execute('DELETE FROM jobs')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
            str(queue.file),
        ],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -9
    assert commands(queue.jobs()) == ["before"]
    queue.add(specs("after"), Trigger.NOW, A)
    assert commands(queue.jobs()) == ["before", "after"]


@pytest.mark.needs_root("mount a disk")
def test_a_disk_that_is_full_is_named_and_all_stays_as_it_was(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 4) as disk:
        queue = Queue(disk)
        add(queue, 100)
        for room in (0, 4, 8, 12):
            ballast = fill(disk, room)
            with pytest.raises(Unusable, match="or disk is full"):
                add(queue, 1000)
            with pytest.raises(Unusable, match="or disk is full"):
                queue.begin(1, Running(now(), A, A, "u"), 1)
            assert commands(queue.jobs()) == ["true"] * 100 and queue.running() is None
            ballast.unlink()
        queue.begin(1, Running(now(), A, A, "u"), 1)


OTHER = """\
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
"""


def test_a_thread_that_opens_the_queue_takes_no_lock_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a descriptor of a file drops all locks that the process has on it (fcntl(2))."""
    monkeypatch.setattr("wtwatch.queue.database.WAIT", 0.0)
    file = tmp_path / "state" / "state.db"
    with changing(file):
        with pytest.raises(WtwatchError, match="locked"), changing(file):
            pass
        words = [sys.executable, "-c", OTHER, str(file)]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
        assert "database is locked" in said


def test_whoever_makes_the_file_takes_no_lock_from_another_thread(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close a file drops all locks of the process on it: so two writers at once ruined each other's."""
    inside, over = Event(), Event()

    def change() -> None:
        with changing(queue.file):
            inside.set()
            over.wait(20)

    other, makes, close = Thread(target=change), Thread(target=lambda: add(queue)), os.close
    first = iter([other.start])

    def close_late(handle: int) -> None:
        for start in first:
            start()
            inside.wait(0.5)
        close(handle)

    monkeypatch.setattr(os, "close", close_late)
    makes.start()
    assert inside.wait(20)
    words = f"import sqlite3; sqlite3.connect({str(queue.file)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    elsewhere = subprocess.run([sys.executable, "-c", words], check=False, capture_output=True, text=True)
    over.set()
    other.join()
    makes.join()
    assert "locked" in elsewhere.stderr
