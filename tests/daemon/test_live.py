"""What the daemon keeps up to date for who looks in passing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.lab import eventually, running_daemon
from wtwatch.daemon.live import Live
from wtwatch.daemon.ticks import SWEEP
from wtwatch.project import config
from wtwatch.views import attention, watch


def test_its_heart_beats_every_few_seconds(tmp_path: Path) -> None:
    with running_daemon(tmp_path):
        seen: list[float] = []

        def thrice_in_a_row() -> bool:
            """More often than it writes its own file, also where the machine was busy before."""
            beat = watch.daemon().beat
            if beat and beat.seconds not in seen:
                seen.append(beat.seconds)
            return len(seen) > 2 and seen[-1] - seen[-3] < SWEEP

        eventually(thrice_in_a_row)


def test_one_that_was_stopped_is_not_believed_and_one_that_goes_on_is(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as process:
        assert not attention.is_silent(watch.daemon())
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: watch.daemon().stopped)
        assert attention.is_silent(watch.daemon())
        process.send_signal(signal.SIGCONT)
        eventually(lambda: not attention.is_silent(watch.daemon()))


@pytest.mark.parametrize("first", [True, False])
def test_it_beats_in_memory_where_there_is_such_a_place_and_else_beside_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    config.daemon_file().parent.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    for in_memory in (first, not first, first):
        if in_memory:
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
        else:
            monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        one = Live()
        one.beat()
        assert one.folder.is_symlink() == in_memory
        assert [file.name for file in one.folder.iterdir()] == ["beat"]
    left = [file.name for file in (tmp_path / "run").iterdir()]
    assert len(left) == 1, "one folder a folder of state"


def test_a_beat_of_a_daemon_that_is_gone_says_nothing(tmp_path: Path) -> None:
    config.daemon_file().parent.mkdir(parents=True)
    Live().beat()
    with running_daemon(tmp_path) as process:
        (config.live_folder() / "beat").write_text("999999999999 1 9\n")
        found = watch.daemon()
        assert found.pid == process.pid and found.silent is not None and found.silent < 12
