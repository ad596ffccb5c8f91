"""The settings of a project and the list of all projects: what is wrong is named, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from wtwatch.project.config import (
    VERSION,
    Project,
    check_name,
    daemon_file,
    read_project,
    unknown_settings,
    write_project,
)
from wtwatch.project.listing import register, registered, registry_file, unregister
from wtwatch.project.registry import projects_at
from wtwatch.words import executors
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
        from_main="ask",
        main_branch="main",
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
        ("version = 'new'", "line 4: version must be a whole number, not 'new'"),
        ("code.path = 'x'", "line 4: code must be a text in quotes, not {'path': 'x'}"),
        ("# a note\n\nbookmark = 7", "line 6: bookmark must be a text in quotes, not 7"),
        ("settle = 'soon'", "line 4: settle must be a number of seconds, not 'soon'"),
        ("settle = true", "line 4: settle must be a number of seconds, not True"),
        ("settle = -1", "line 4: settle must be 0 or more, not -1"),
        ("settle = nan", "line 4: settle must be 0 or more, not nan"),
        ("keep_failed = 2.5", "line 4: keep_failed must be a whole number, not 2.5"),
        ("lanes = 0", "line 4: lanes must be from 1 to 256, not 0"),
        ("[executor]\nkind = 'pbs'", "line 4: executor.kind must be one of here, slurm"),
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


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("bokmark = 'runs'", "line 4: there is no setting 'bokmark'; did you mean bookmark?"),
        ("\n[projects]\nx = 1", "line 5: there is no setting 'projects'."),
        ("state = '/data'", "line 4: there is no setting 'state'."),
        ("more = 1", "line 4: there is no setting 'more'."),
    ],
)
def test_an_unknown_setting_stops_nothing_but_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    project = read_project(written(tmp_path, f"{GOOD}{line}\n"))
    assert (project.name, project.bookmark) == ("L5b", "runs")
    [said] = unknown_settings(project)
    assert said.startswith(f"{tmp_path / 'config.toml'}, {complaint}")


def test_settings_of_a_newer_version_are_written_back(tmp_path: Path) -> None:
    text = GOOD + "version = 9\ncranes = 4\nmirrors = ['a']\nstate = 's'\n[later]\nopen_files = 1024\n"
    project = read_project(written(tmp_path, text))
    write_project(project._replace(settle=1.0, bookmark="other"))
    again = read_project(tmp_path / "config.toml")
    assert (again.settle, again.bookmark, again.version) == (1.0, "other", 9)
    assert dict(again.more) == {
        "cranes": 4, "mirrors": ["a"], "state": "s", "later": {"open_files": 1024}
    }  # fmt: skip


def test_settings_of_before_there_were_versions_are_read(tmp_path: Path) -> None:
    project = read_project(written(tmp_path, GOOD))
    write_project(project)
    assert f"version = {VERSION}\n" in (tmp_path / "config.toml").read_text()
    assert read_project(tmp_path / "config.toml") == project


def test_a_path_that_is_not_utf8_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    for odd in (project._replace(main_tree=tmp_path / "L5b\udcff"), project._replace(bookmark="\udcff")):
        with pytest.raises(UsageError, match=r"\\udcff.* is not UTF-8") as caught:
            write_project(odd)
        assert caught.value.hint
    assert not project.state.exists()


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


def test_what_a_newer_version_says_of_the_list_is_kept(tmp_path: Path) -> None:
    registry_file().parent.mkdir(parents=True)
    registry_file().write_text('version = 2\n[projects]\none = "/one"\n[owners]\none = "node7"\n')
    register("two", tmp_path / "two")
    unregister("one")
    assert registered() == {"two": tmp_path / "two"}
    assert tomli.loads(registry_file().read_text())["owners"] == {"one": "node7"}
    assert tomli.loads(registry_file().read_text())["version"] == 2


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


def test_options_of_a_cluster_may_be_a_list(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(GOOD + '[executor]\nkind = "slurm"\noptions = ["--qos=long", "--comment=two words"]\n')
    project = read_project(file)
    assert executors.of(project.executor).options == ("--qos=long", "--comment=two words")
    write_project(project)
    assert read_project(file).executor == project.executor
