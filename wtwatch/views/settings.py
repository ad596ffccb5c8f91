"""The screen of all settings."""

from __future__ import annotations

from collections.abc import Iterator

from wtwatch.project import settings
from wtwatch.project.config import Project
from wtwatch.views.terminal import folded, styled

_NONE = "–"
"""Stands for a setting that is empty."""

_MOST = 30
"""Columns of a list of texts beyond which only its length is shown."""


def screen(project: Project, columns: int | None) -> Iterator[str]:
    """Yield each setting with its value, what it does, and its default where the value is another."""
    yield f"{styled(project.name, bold=True)}  {project.state / 'config.toml'}"
    for title, group in (("to change", settings.CHANGEABLE), ("by init", settings.FIXED)):
        yield ""
        yield styled(f"{title}:", bold=True)
        for key, text in group.items():
            value, usual = _short(project, key), settings.default(key)
            own = settings.as_words(getattr(project, key)) != usual and usual is not None
            line = f"  {key:<17} {value}"
            yield styled(line, "yellow") if own else line
            told = f"{text} (default: {_cut(key, usual or '') or _NONE})" if own else text
            margin = " " * 20
            yield from (f"{margin}{part}" for part in folded(told, columns and columns - 20))


def _short(project: Project, key: str) -> str:
    return _cut(key, settings.as_words(getattr(project, key))) or _NONE


def _cut(key: str, text: str) -> str:
    count = text.count(",") + 1
    return text if count < 5 or len(text) <= _MOST else f"{count} texts (all: `wtwatch config {key}`)"
