"""How wide a line may be, and where it is broken."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import wtwatch
from wtwatch.views import terminal
from wtwatch.words.errors import WtwatchError

PACKAGE = Path(wtwatch.__file__).parent


def test_a_line_is_as_wide_as_columns_says_and_as_long_as_it_is_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert terminal.width() == 120
    for said in ("", "0", "-3", "wide"):
        monkeypatch.setenv("COLUMNS", said)
        assert terminal.width() is None, "stdout is captured: no terminal"


def test_lines_are_broken_at_spaces_and_no_word_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "  queue        12 waiting · 3 running · 1 standing (at every move)"
    lines = terminal.folded(text, 40, indent=" " * 15)
    assert lines == [
        "  queue        12 waiting · 3 running ·",
        "               1 standing (at every",
        "               move)",
    ]
    assert terminal.folded(text, None) == terminal.folded(text, 200) == [text]
    long = "/a/path/that/is/longer/than/any/line/may/be/here"
    assert terminal.folded(f"in {long} it is", 20) == ["in", long, "it is"]


def test_a_dumb_terminal_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not terminal.plain()
    monkeypatch.setenv("TERM", "dumb")
    assert terminal.plain()


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_no_control_character_of_others_reaches_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Screen())
    evil = "a\x1b]0;title\x07b\x1b[2Jc\rd\x9be\x7ff\u202eg"
    terminal.say(terminal.styled(f"{evil}\tü\nnext", "red", bold=True))
    terminal.complain(WtwatchError(evil, evil))
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, Screen)
        left = re.sub(r"\x1b\[(31;1|36;1|0)m", "", stream.getvalue())
        assert [letter for letter in left if not letter.isprintable()] in (["\t", "\n", "\n"], ["\n", "\n"])
        assert "a\\u001b]0;title\\u0007b\\u001b[2Jc\\u000dd\\u009be\\u007ff\\u202eg" in left


@pytest.mark.parametrize("text", ["\x1b[31;1Hm", "\x1b[\x1b[0m1m", "\x1b[3\x1b[0m1m", "\x1b[38m", "\x1bc"])
def test_what_only_looks_like_a_colour_of_ours_is_named(text: str) -> None:
    assert "\\u001b" in terminal.harmless(text)
    ours = "\x1b[31;1ma\x1b[0m\tü\n\x1b[36mb\x1b[0m"
    assert terminal.harmless(ours) == ours
    assert terminal.harmless(text + ours).endswith(ours)


def test_a_pipe_gets_what_is_there_and_json_stays_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("a\x1b[2J\r")
    assert capsys.readouterr().out == "a\x1b[2J\r\n"
    text = json.dumps({"subject": "a\x1b\x7f\x85"}, ensure_ascii=False)
    assert json.loads(terminal.harmless(text)) == json.loads(text)


def test_who_draws_on_the_terminal_itself_draws_what_is_harmless() -> None:
    drawing = [file for file in PACKAGE.rglob("*.py") if "sys.stdout.write(" in file.read_text()]
    assert drawing and [file.name for file in drawing if "harmless(" not in file.read_text()] == []


def test_trouble_fits_the_terminal_and_a_command_on_a_line_of_its_own_stays_whole(tmp_path: Path) -> None:
    program = (
        "from wtwatch.views.terminal import complain, warn; from wtwatch.words.errors import WtwatchError\n"
        "complain(WtwatchError('word ' * 40, 'hint ' * 40)); warn('warning ' * 40)\n"
        "warn('  git ' + 'command ' * 40)"
    )
    ours, theirs = os.openpty()
    env = {"COLUMNS": "60", "NO_COLOR": "1", "PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-P", "-c", program], env=env, stderr=theirs, check=True)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the terminal ends with its last writer; what is there comes in parts
        while more := os.read(ours, 10_000):
            said += more
    lines = said.decode().split("\r\n")
    os.close(ours)
    assert [line for line in lines if len(line) > 60] == ["  git " + "command " * 40]
    assert {word for line in lines for word in line.split()} == {
        "Error:", "word", "Hint:", "hint", "warning", "git", "command"
    }  # fmt: skip


def test_a_command_on_a_line_of_its_own_is_never_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    command = '  touch "$(git rev-parse --git-common-dir)/wtwatch/bell" 2>/dev/null || :'
    terminal.say_folded(f"{'To have them ring add one line: ' * 3}\n{command}\nThat is all.")
    lines = capsys.readouterr().out.splitlines()
    assert command in lines and lines[-1] == "That is all."
    assert max(len(line) for line in lines if line != command) <= 40
