"""Parts of logs, without ever reading one whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wtwatch.views import logtext


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("width", [1, 70_000])
def test_the_last_lines_are_found_from_the_end(log: Path, end: str, width: int) -> None:
    texts = [f"{n}" * width for n in range(7)]
    log.write_text("\n".join(texts) + end)
    for lines in (1, 2, 6, 7, 8):
        start = logtext.start_of_last(log, lines)
        assert b"".join(logtext.copied(log, start)).decode() == "\n".join(texts[-lines:]) + end
    assert logtext.start_of_last(log, 0) == log.stat().st_size


def test_no_log_has_no_lines(log: Path) -> None:
    assert logtext.start_of_last(log, 3) == 0
    assert list(logtext.copied(log)) == list(logtext.matching(log, re.compile("x"))) == []
    assert logtext.last_words(log, 3) == []
    log.write_bytes(b"")
    assert logtext.start_of_last(log, 3) == 0 and logtext.last_words(log, 3) == []


def test_lines_that_match_are_shown_all_or_the_last_of_them(log: Path) -> None:
    log.write_bytes(b"one error\ntwo\n\xff error three\nerror four")
    pattern = re.compile("error|\udcff")
    assert list(logtext.matching(log, pattern)) == [b"one error\n", b"\xff error three\n", b"error four\n"]
    assert list(logtext.matching(log, pattern, 1)) == [b"error four\n"]


def test_the_last_words_are_those_that_say_something(log: Path) -> None:
    log.write_text("10%\r20%\rdone\n\n  ValueError: decimal comma\n \n")
    assert logtext.last_words(log, 2) == ["done", "  ValueError: decimal comma"]


FRAME = "[INFO] == Command exit (modification check follows) =====\nrun(error): /d (dataset) [make]\n\n"


@pytest.mark.parametrize("lines", [1, 2])
def test_the_last_lines_are_the_commands_own_and_not_what_datalad_said_of_its_end(
    log: Path, lines: int
) -> None:
    log.write_text("[INFO] == Command start (output follows) =====\none\n\ntwo\n" + FRAME)
    end = logtext.end_of_words(log)
    start = logtext.start_of_last(log, lines, end)
    assert b"".join(logtext.copied(log, start, end)).decode().split() == ["two"]
    assert logtext.last_words(log, 2) == ["one", "two"]
    log.write_text(FRAME)
    assert logtext.end_of_words(log) == log.stat().st_size, "all there is to see"


def test_what_datalad_says_late_of_what_it_did_before_is_not_the_commands(log: Path) -> None:
    done = "".join(f"unlock(ok): out/cell_{n}.png (file)\n" for n in range(3000))
    start = "[INFO] == Command start (output follows) =====\n"
    ends, _, _ = FRAME.partition("\n")
    log.write_text(f"{start}Traceback\nValueError: decimal comma\n{ends}\n{done}run(error): x\n")
    assert logtext.last_line(log) == "ValueError: decimal comma"
    assert logtext.last_words(log, 1) == ["ValueError: decimal comma"]
    log.write_text(f"{start}{FRAME}{done}")
    assert logtext.last_line(log) is None


def test_where_the_command_never_ran_the_trouble_is_what_datalad_said(log: Path) -> None:
    log.write_text("[INFO] Making sure inputs are available\nget(error): in.dat (file) [not available]\n")
    assert logtext.last_line(log) == "get(error): in.dat (file) [not available]"
