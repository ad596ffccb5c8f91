"""Programs that are asked, where the disk is full: git says little of it then, and git-annex nothing."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from wtwatch.doors import program, traces
from wtwatch.doors.program import Asking
from wtwatch.words.errors import CommandFailed


def test_a_disk_that_is_for_reading_alone_or_none_at_all_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not traces.is_full("/proc"), "it has no room, and needs none"
    for flag, full in ((0, True), (os.ST_RDONLY, False)):
        found = SimpleNamespace(f_flag=flag, f_blocks=9, f_bavail=0, f_frsize=4096)
        monkeypatch.setattr(os, "statvfs", lambda _, found=found: found)
        assert traces.is_full("/") == full


@pytest.mark.parametrize("full", [True, False])
def test_a_program_that_fails_on_a_full_disk_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    monkeypatch.setattr(program, "is_full", lambda where: full and where == tmp_path)
    with pytest.raises(CommandFailed, match="cannot write") as failed:
        Asking(["sh", "-c", "echo cannot write >&2; exit 1"], tmp_path, os.environ).answer()
    assert (f"Its disk is full: make room on it (df -h {tmp_path})." in failed.value.message) == full


def test_a_program_that_waits_for_room_on_a_full_disk_is_ended_soon_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "ON_A_FULL_DISK", 0.05)
    monkeypatch.setattr(program, "is_full", lambda where: where == tmp_path)
    with pytest.raises(CommandFailed, match=r"no answer(.|\n)*disk is full"):
        Asking(["sleep", "600"], tmp_path, os.environ).answer()
    slow = Asking(["sh", "-c", "read line; sleep 0.1; echo $line"], Path("/"), os.environ, feed=True)
    assert slow.answer(stdin="late\n") == "late\n"


def test_what_a_program_prints_is_read_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "go")
    talking = Asking(["sh", "-c", "echo one; read line <go; echo $line"], tmp_path, os.environ)
    pieces = talking.pieces()
    assert next(pieces) == b"one\n"
    (tmp_path / "go").write_text("two\n")
    assert b"".join(pieces) == b"two\n"
    monkeypatch.setattr(program, "ON_A_FULL_DISK", 0.05)
    lines = "echo one; seq 100000 >&2; echo two; exit 3"  # more errors than a pipe holds
    failing = Asking(["sh", "-c", lines], tmp_path, os.environ)
    with pytest.raises(CommandFailed, match="100000"):
        list(failing.pieces())
    failing = Asking(["sh", "-c", lines], tmp_path, os.environ)
    assert b"".join(failing.pieces(ok=(0, 3))) == b"one\ntwo\n"
