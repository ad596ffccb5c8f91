"""Nobody waits for ever for a lock of git-annex that somebody else holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab import eventually
from wtwatch.doors.dataset import RunResult
from wtwatch.job import patience
from wtwatch.job.attempt import CommandEnd
from wtwatch.job.ways import InParts
from wtwatch.tree.states import After, Before

HOLD = """\
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
input()
"""


@contextmanager
def held(lock: Path) -> Iterator[int]:
    """Have another process hold a lock as git-annex does; yield its pid."""
    words = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield process.pid
        process.kill()


@pytest.fixture
def annex(tmp_path: Path) -> Path:
    for words in (["git", "init", "-q", "."], ["git", "annex", "init", "-q"]):
        subprocess.run(words, cwd=tmp_path, check=True)
    (tmp_path / "file").write_text("1\n")
    return tmp_path


def test_a_git_annex_that_waits_for_a_lock_is_ended_and_who_has_that_is_named(annex: Path) -> None:
    lock = annex / ".git/annex/journal.lck"
    with held(lock) as pid:
        adding = subprocess.Popen(["git", "annex", "add", "-q", "file"], cwd=annex, start_new_session=True)
        with patience.limited([lock], list, lambda: os.killpg(adding.pid, signal.SIGTERM), 0.2) as waited:
            adding.wait(30)
    assert adding.returncode != 0
    assert waited.why is not None and f"(pid {pid}) has held {lock}" in waited.why


def test_ones_own_lock_is_nobody_to_wait_for(annex: Path) -> None:
    lock, asked = annex / ".git/annex/journal.lck", list[int]()

    def ours() -> list[int]:
        asked.append(1)
        return [pid]

    with held(lock) as pid, patience.limited([lock], ours, pytest.fail, 0.1) as waited:
        eventually(lambda: len(asked) > 1)
    assert waited.why is None


@pytest.mark.parametrize(("saved", "word"), [(RunResult(0), None), (RunResult(1), "sleep has held it")])
def test_a_result_that_was_saved_all_the_same_stays_saved_whoever_held_a_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saved: RunResult, word: str | None
) -> None:
    @contextmanager
    def too_long(*_: object) -> Iterator[patience.Waited]:
        waited = patience.Waited()
        waited.why = "sleep has held it"
        yield waited

    monkeypatch.setattr(patience, "limited", too_long)
    monkeypatch.setattr(InParts, "_save", lambda *_: saved)
    nothing: Any = SimpleNamespace(run_tree=tmp_path)
    done = InParts(nothing, nothing, nothing, nothing).save(Before(()), After(()), CommandEnd(0))
    assert done.exit == saved.exit and (word or "") in (done.error or "")
