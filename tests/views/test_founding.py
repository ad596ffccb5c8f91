"""What `init` says that it found and chose, from values alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import assert_screen
from wtwatch.project.config import Project
from wtwatch.setup.githooks import GIT_HOOKS, Fitting, HookState
from wtwatch.tree.environment.kinds import OFFERS
from wtwatch.views import founding
from wtwatch.views.founding import Found

DATA = Path("/home/ada/data")
PROJECT = Project("L5b", DATA / "L5b/.git/wtwatch/L5b", DATA / "L5b", DATA / "L5b-runs")
FOUND = Found(
    PROJECT,
    trees=(3, 0),
    known=False,
    code="the subdataset code, driven by jj, colocated with git",
    bookmark="runs → 3f2a1b9c0d, made now",
    environment="code/.venv, by uv from pyproject.toml and uv.lock",
    hooks="4 of git's ring the daemon's bell; jj's operations are watched",
    annexes=2,
)


def screen(found: Found, columns: int | None = 80) -> str:
    return "\n".join(founding.lines(found, columns)) + "\n"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("usual", FOUND),
        (
            "much-to-say",
            FOUND._replace(
                trees=(1, 2),
                environment="none: no pyproject.toml with a [project], and no requirements.txt",
                unhandled=("environment.yml", "renv.lock"),
                hooks="2 of git's ring the daemon's bell, 2 cannot (see below)",
                empty=("raw", "more"),
            ),
        ),
        ("again", FOUND._replace(trees=(0, 3), known=True)),
    ],
)
def test_what_was_found_is_read_in_twelve_lines_of_80_columns(name: str, found: Found) -> None:
    assert screen(found).count("\n") <= 12
    assert_screen(f"init-{name}.80", screen(found))


@pytest.mark.parametrize("file", OFFERS)
def test_the_line_for_each_kind_that_is_not_looked_after_fits(file: str) -> None:
    shown = screen(FOUND._replace(unhandled=(file,)))
    assert max(map(len, shown.splitlines())) <= 80 and "wtwatch init --env " in shown


def test_advice_that_holds_for_all_hooks_is_given_once() -> None:
    refused = [HookState(name, Fitting.REFUSED, Path("/h") / name, "Add a line.") for name in GIT_HOOKS]
    assert list(founding.advice(refused)) == ["Add a line."]
    assert list(founding.advice([refused[0]._replace(state=Fitting.INSTALLED)])) == []
