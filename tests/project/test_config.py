"""The settings of a project and the list of all projects: what is wrong is named, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from wtwatch.project.config import (
    Project,
    check_name,
    daemon_file,
    projects_at,
    read_project,
    register,
    registered,
    registry_file,
    unregister,
    write_project,
)
from wtwatch.words.errors import UsageError

GOOD = 'name = "L5b"\nmain_tree = "/data/L5b"\nrun_tree = "/data/L5b-runs"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def project_at(folder: Path, name: str = "L5b") -> Project:
    return Project(name, folder / "state", folder / name, folder / f"{name}-runs")


def test_a_project_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    plain = project_at(tmp_path)
    rich = plain._replace(
        bookmark="team/a",
        code="the code",
        environment='sh -c "uv sync"',
        host="ünïcode",
        settle=0.5,
        keep_failed=0,
        protected=(".venv", "data base"),
        ignore_untracked=(),
        merge_pointer="run",
    )
    for project in (plain, rich):
        write_project(project)
        assert read_project(project.state / "config.toml") == project


def test_defaults_are_not_written_so_that_a_later_release_may_better_them(tmp_path: Path) -> None:
    write_project(project_at(tmp_path))
    text = (tmp_path / "state" / "config.toml").read_text()
    assert "passive" not in text
    assert 'bookmark = "runs"' in text


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("bokmark = 'runs'", "line 4: there is no setting 'bokmark'"),
        ("[projects]\nx = 1", "line 4: there is no setting 'projects'"),
        ("code.path = 'x'", "line 4: code must be a text in quotes, not {'path': 'x'}"),
        ("# a note\n\nbookmark = 7", "line 6: bookmark must be a text in quotes, not 7"),
        ("settle = 'soon'", "line 4: settle must be a number of seconds, not 'soon'"),
        ("settle = true", "line 4: settle must be a number of seconds, not True"),
        ("settle = -1", "line 4: settle must be 0 or more, not -1"),
        ("settle = nan", "line 4: settle must be 0 or more, not nan"),
        ("keep_failed = 2.5", "line 4: keep_failed must be a whole number, not 2.5"),
        ("protected = '.venv'", "line 4: protected must be a list of texts in quotes, not '.venv'"),
        ("protected = ['.venv', 1]", "line 4: protected must be a list of texts in quotes"),
        ("merge_pointer = 'theirs'", "line 4: merge_pointer must be one of ask, main, run, not 'theirs'"),
    ],
)
def test_a_wrong_setting_is_named_with_file_line_and_what_is_allowed(
    tmp_path: Path, line: str, complaint: str
) -> None:
    file = written(tmp_path, f"{GOOD}{line}\n")
    with pytest.raises(UsageError) as error:
        read_project(file)
    assert f"{file}, {complaint}" in error.value.message
    assert error.value.exit_code == 2


def test_a_wrong_key_is_answered_with_all_that_are_allowed(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_project(written(tmp_path, f"{GOOD}bokmark = 'runs'\n"))
    assert error.value.hint
    assert "bookmark" in error.value.hint
    assert "state" not in error.value.hint.split()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "bookmark = runs\n", "is not valid TOML: Invalid value (at line 4"),
        (GOOD + GOOD, "is not valid TOML: Cannot overwrite a value (at line 4"),
        ("", "lacks the key 'name'"),
        ('name = "L5b"\nmain_tree = "/data"\n', "lacks the key 'run_tree'"),
        (GOOD.replace("/data/L5b-runs", "L5b-runs"), "line 3: run_tree must be an absolute path"),
        (GOOD.replace('"L5b"', '"../L5b"', 1), "line 1: '../L5b' cannot be the name of a project"),
    ],
)
def test_a_file_that_is_no_project_says_why(tmp_path: Path, text: str, complaint: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        read_project(file)
    assert str(file) in error.value.message
    assert complaint in error.value.message


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_project(tmp_path / "config.toml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_project(tmp_path)
    (tmp_path / "config.toml").write_bytes(b'name = "L5b\xff"\n')
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_project(tmp_path / "config.toml")


@pytest.mark.parametrize("name", ["L5b", "a", "x-1.2_3+4", "9"])
def test_a_name_that_fits_a_folder_and_a_ref_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-x", ".x", "a/b", "a b", "a..b", "a.lock", "a.", "ä", "keep", "a\n"]
)
def test_a_name_that_fits_no_folder_or_ref_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a project"):
        check_name(name)


def test_projects_are_registered_by_name_and_taken_off_again(tmp_path: Path) -> None:
    assert registered() == {}
    register("one", tmp_path / "with 'quotes' and ünïcode")
    register("two", tmp_path / "two")
    register("one", tmp_path / "one")
    assert registered() == {"one": tmp_path / "one", "two": tmp_path / "two"}
    unregister("one")
    unregister("never there")
    assert registered() == {"two": tmp_path / "two"}


@pytest.mark.parametrize(
    "text", ["[projects", "projects = 1", "[projects]\none = 1", "[projects.one]\nx = 'y'"]
)
def test_a_broken_list_of_projects_is_named(text: str) -> None:
    registry_file().parent.mkdir(parents=True)
    registry_file().write_text(text)
    with pytest.raises(UsageError) as error:
        registered()
    assert str(registry_file()) in error.value.message


def test_a_list_of_projects_that_cannot_be_read_is_named() -> None:
    registry_file().mkdir(parents=True)
    with pytest.raises(UsageError, match="Is a directory"):
        registered()


def test_all_that_is_written_lies_in_the_users_own_folders(tmp_path: Path) -> None:
    assert registry_file().is_relative_to(tmp_path / "home")
    assert daemon_file().is_relative_to(tmp_path / "home")


def test_a_folder_belongs_to_the_innermost_tree(tmp_path: Path) -> None:
    outer, inner = project_at(tmp_path, "outer"), project_at(tmp_path / "outer" / "derived", "inner")
    for project in (outer, inner):
        (project.main_tree / "code").mkdir(parents=True)
        (project.run_tree / "code").mkdir(parents=True)
    both = [outer, inner]
    assert projects_at(outer.main_tree / "code", both) == [outer]
    assert projects_at(inner.main_tree / "code", both) == [inner]
    assert projects_at(inner.run_tree, both) == [inner]
    assert projects_at(tmp_path, both) == []


def test_a_main_tree_belongs_to_all_its_projects_and_a_run_tree_to_one(tmp_path: Path) -> None:
    first = project_at(tmp_path)
    second = first._replace(name="L5b-alt", run_tree=tmp_path / "alt")
    for folder in (first.main_tree, first.run_tree, second.run_tree):
        folder.mkdir()
    assert projects_at(first.main_tree, [first, second]) == [first, second]
    assert projects_at(second.run_tree, [first, second]) == [second]


def test_a_tree_is_known_through_a_symlink(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    project.run_tree.mkdir()
    (tmp_path / "link").symlink_to(project.run_tree)
    assert projects_at(tmp_path / "link", [project]) == [project]
