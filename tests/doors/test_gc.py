"""While something is saved, a `git gc` stays out, and one that is at work is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.lab import eventually
from wtwatch.doors import gc


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path / ".git"


def gc_succeeds(repository: Path) -> bool:
    done = subprocess.run(
        ["git", "--git-dir", str(repository), "gc", "-q", "--prune=now"], capture_output=True, check=False
    )
    assert done.returncode == 0 or b"gc is already running" in done.stderr
    return done.returncode == 0


def test_no_gc_gets_in_while_something_is_saved(repository: Path) -> None:
    with gc.held_off([repository, repository]):
        assert not gc_succeeds(repository)
    assert gc_succeeds(repository)
    assert not (repository / "gc.pid").exists()


def test_the_last_of_several_lets_it_in_again(repository: Path) -> None:
    script = "import sys; from pathlib import Path; from wtwatch.doors import gc\n" + (
        "with gc.held_off([Path(sys.argv[1])]):\n    print('in', flush=True); sys.stdin.read()\n"
    )
    with gc.held_off([repository]):
        other = subprocess.Popen(
            [sys.executable, "-c", script, str(repository)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdout and other.stdout.readline() == b"in\n"
    with other:
        assert not gc_succeeds(repository)
        other.communicate()
    assert gc_succeeds(repository)


def test_one_that_was_killed_keeps_nobody_out(repository: Path) -> None:
    with subprocess.Popen(["sleep", "0"]) as gone:
        gone.wait()
    (repository / "gc.pid").write_text(f"{gone.pid} {os.uname().nodename}")
    (repository / "wtwatch").mkdir()
    (repository / "wtwatch/saving").write_text(f'[[{gone.pid}, 1, "an earlier boot"]]')
    with gc.held_off([repository]):
        assert (repository / "gc.pid").read_text().startswith(f"{os.getpid()} ")
    assert gc_succeeds(repository)


def test_a_lock_that_a_killed_git_left_holds_nobody_up(repository: Path) -> None:
    (repository / "gc.pid.lock").touch()
    with gc.held_off([repository]):
        assert (repository / "gc.pid").read_text().startswith(f"{os.getpid()} ")
        assert (repository / "gc.pid.lock").exists()  # it is git's


def test_a_gc_at_work_is_waited_for_and_in_the_end_not_any_more(repository: Path) -> None:
    begun = threading.Event()
    with subprocess.Popen(["sleep", "60"]) as working:  # which git and we take for a gc
        (repository / "gc.pid").write_text(f"{working.pid} {os.uname().nodename}")
        with gc.held_off([repository], limit=0.0):
            assert (repository / "gc.pid").read_text().startswith(f"{working.pid} ")

        def save() -> None:
            with gc.held_off([repository]):
                begun.set()

        saving = threading.Thread(target=save)
        saving.start()
        assert not begun.is_set()
        working.kill()
    eventually(begun.is_set)
    saving.join()


def test_where_we_may_not_write_all_goes_on(tmp_path: Path) -> None:
    with gc.held_off([tmp_path / "gone"]):
        pass
