"""How long ago something was goes by this machine's own count, from one start of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wtwatch.doors import clock
from wtwatch.doors.clock import Instant, elapsed, instant


def test_time_goes_on_from_a_moment_of_this_start() -> None:
    began = instant()
    assert began.boot
    passed = elapsed(began)
    assert passed is not None and 0 <= passed <= instant().seconds - began.seconds
    assert (elapsed(began._replace(seconds=began.seconds - 60)) or 0) >= 60


def test_a_moment_of_another_start_or_to_come_was_no_time_ago() -> None:
    boot, seconds = instant()
    assert elapsed(Instant("another", seconds - 60)) is None
    assert elapsed(Instant(boot, seconds + 60)) is None


def test_where_the_start_has_no_name_seconds_alone_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "hidden")
    assert elapsed(instant()) is not None
