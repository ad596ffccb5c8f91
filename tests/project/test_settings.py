"""Settings one by one: shown, read, changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.project import settings
from wtwatch.project.config import Project, read_project, write_project
from wtwatch.views.settings import screen
from wtwatch.words.errors import UsageError

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    house = House.built(tmp_path)
    write_project(house.project)
    return house.project


def test_every_setting_has_a_line_on_what_it_does() -> None:
    own = {name for name in Project._fields if name not in ("state", "version", "more")}
    assert own == settings.CHANGEABLE.keys() | settings.FIXED.keys()


def test_the_readme_says_of_each_setting_what_the_command_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.read_text(), re.MULTILINE)
    told = {key: text for key, _, text in rows}
    assert told == settings.CHANGEABLE
    usual = {key: None if value == "–" else value.strip("`") for key, value, _ in rows}
    assert {key: usual[key] for key in usual if key != "passive"} == {
        key: settings.default(key) for key in usual if key != "passive"
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("settle", "2.5", 2.5),
        ("settle", "0", 0.0),
        ("keep_failed", "7", 7),
        ("lanes", "256", 256),
        ("merge_pointer", "run", "run"),
        ("protected", ".venv, .env", (".venv", ".env")),
        ("environment", "make env", "make env"),
    ],
)
def test_a_setting_is_written_and_comes_back(project: Project, key: str, text: str, value: object) -> None:
    changed = settings.change(project, key, text)
    assert getattr(changed, key) == getattr(read_project(project.state / "config.toml"), key) == value
    back = settings.change(changed, key, "default")
    assert getattr(back, key) == Project._field_defaults[key]


def test_what_else_stands_in_the_file_stays(project: Project) -> None:
    file = project.state / "config.toml"
    file.write_text(file.read_text() + 'keep_failed = 9\nof_tomorrow = "x"\n')
    settings.change(project, "settle", "1")
    found = read_project(file)
    assert (found.keep_failed, found.settle, dict(found.more)["of_tomorrow"]) == (9, 1.0, "x")


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("settel", "1", "no setting"),
        ("settle", "soon", "a number"),
        ("settle", "-1", "0 or more"),
        ("settle", "nan", "0 or more"),
        ("keep_failed", "1.5", "a number"),
        ("lanes", "0", "must be from 1 to 256, not 0"),
        ("lanes", "10000", "from 1 to 256"),
        ("lanes", "x", "a number"),
        ("lanes", "-1", "from 1 to 256"),
        ("merge_pointer", "mine", "one of"),
        ("host", "other", "decided by"),
        ("run_tree", "/x", "decided by"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(
    project: Project, key: str, text: str, problem: str
) -> None:
    before = (project.state / "config.toml").read_bytes()
    with pytest.raises(UsageError, match=problem):
        settings.change(project, key, text)
    assert (project.state / "config.toml").read_bytes() == before


def test_a_setting_that_may_be_meant_is_named(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        settings.known("setle")
    assert "Did you mean settle?" in str(caught.value.hint)


def test_a_setting_that_is_too_long_to_show_names_the_command_that_shows_it(project: Project) -> None:
    assert any("`wtwatch config passive`" in line for line in screen(project, 80))
    assert not any(line != line.rstrip() for line in screen(project, 80)), "blanks at the end of a line"
