"""How wide a line may be, and where it is broken."""

from __future__ import annotations

import pytest

from wtwatch.views import terminal


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
