"""Each kind of environment on a small project of its own, with the main tree's environment active."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from tests.packages import BACKEND, project
from tests.tree.environment.world import BENT, World
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict, kinds
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import EnvironmentState as State


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in whose shell another environment is active, and uv is told to do otherwise."""
    world = World.built(tmp_path)
    other = world.house.project.main_code / ".venv"
    monkeypatch.setenv("VIRTUAL_ENV", str(other))
    for name in BENT:
        monkeypatch.setenv(name, "1")
    return world


def test_requirements_in_several_files_are_all_met(world: World) -> None:
    files = {
        "requirements.txt": f"{world.options}-r deps/base.txt  # the most of it\n-c deps/pins.txt\n",
        "deps/base.txt": "one\n",
        "deps/pins.txt": "one==1\n",
    }
    assert world.move(files) == Verdict(State.OK)
    assert world.value("one") == "1"
    assert world.move({"deps/pins.txt": "one==2\n"}).ready
    assert world.value("one") == "2"
    assert world.move({"deps/base.txt": "one\ntwo\n"}).ready
    assert world.value("two") == "1"
    assert world.move({"deps/base.txt": "two\n"}).ready
    assert world.value("one") == "", "what is not wanted any more goes"
    assert world.noted() == Verdict(State.OK)


def test_requirements_may_lie_in_a_folder_alone(world: World) -> None:
    assert world.move({"requirements/base.txt": f"{world.options}one==1\n"}).ready
    assert world.value("one") == "1"
    assert world.move({"requirements/base.txt": f"{world.options}one==2\n"}).ready
    assert world.value("one") == "2"


def test_code_itself_among_the_requirements_is_never_an_old_copy(world: World) -> None:
    files = {
        "requirements.txt": ".\n",
        "pyproject.toml": project("mine"),
        "backend.py": BACKEND,
        "pkg_mine.py": "V = 1\n",
    }
    assert world.move(files).ready and world.value("pkg_mine") == "1"
    assert world.move({"pkg_mine.py": "V = 2\n"}).ready
    assert world.value("pkg_mine") == "2"


def test_a_package_is_installed_so_that_edits_are_seen(world: World) -> None:
    files = {"pyproject.toml": project("mine"), "backend.py": BACKEND, "pkg_mine.py": "V = 1\n"}
    assert world.move(files) == Verdict(State.OK)
    assert world.value("pkg_mine", "__file__") == str(world.code / "pkg_mine.py")
    assert world.move({"pkg_mine.py": "V = 2\n"}) == Verdict(State.OK)
    assert world.value("pkg_mine") == "2"


def test_a_version_that_stands_elsewhere_follows_the_files(world: World) -> None:
    files = {"pyproject.toml": project("mine", version=None), "backend.py": BACKEND, "VERSION": "1"}
    assert world.move(files).ready
    before = dict(environment.packages(world.tree))
    assert world.move({"VERSION": "2"}).ready
    assert list((world.code / ".venv").glob("lib/*/site-packages/mine-2.dist-info"))
    after = dict(environment.packages(world.tree))
    assert after["fingerprint"] != before["fingerprint"] and after["others"] == before["others"]
    world.by_hand("two")
    assert dict(environment.packages(world.tree))["others"] != before["others"]


def test_a_project_of_uv_gets_what_is_locked(world: World) -> None:
    text = project("p", 'dependencies = ["one==1"]', backend=False)
    assert world.move({"pyproject.toml": text}, lock=True) == Verdict(State.OK)
    assert world.value("one") == "1"
    changed = text.replace("one==1", "two")
    assert world.move({"pyproject.toml": changed}, lock=True) == Verdict(State.OK)
    assert (world.value("one"), world.value("two")) == ("", "1")


def test_a_package_of_code_that_is_copied_or_compiles_is_built_anew(world: World) -> None:
    local = '[tool.uv.sources]\ncopied = {path = "copied"}\nbuilt = {path = "built", editable = true}\n'
    files = {
        "pyproject.toml": project("p", 'dependencies = ["copied", "built"]', local, backend=False),
        "copied/pyproject.toml": project("copied"),
        "copied/backend.py": BACKEND,
        "copied/pkg_copied.py": "V = 1\n",
        "built/pyproject.toml": f"{project('built')}\n# compiles\n",
        "built/backend.py": BACKEND,
    }
    assert world.move(files, lock=True) == Verdict(State.OK)
    built = next((world.code / ".venv").glob("lib/*/site-packages/built-1.dist-info"))
    present = environment.present(world.tree)
    assert (present.copies, present.leads) == ((str(built.parent / "pkg_copied.py"),), ("code/built",))
    before = built.stat().st_ctime_ns
    assert world.move({"a.py": "a = 2\n"}).ready
    assert built.stat().st_ctime_ns == before
    assert world.move({"copied/pkg_copied.py": "V = 2\n"}).ready
    assert world.value("pkg_copied") == "2" and built.stat().st_ctime_ns == before
    assert world.move({"built/source.c": "int i;\n"}).ready
    assert built.stat().st_ctime_ns != before


def test_a_workspace_without_a_project_at_its_top_has_all_its_members(world: World) -> None:
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["parts/*"]\n',
        "parts/a/pyproject.toml": project("a"),
        "parts/a/backend.py": BACKEND,
        "parts/a/pkg_a.py": "V = 1\n",
    }
    assert world.move(files, lock=True) == Verdict(State.OK)
    assert world.value("pkg_a", "__file__") == str(world.code / "parts/a/pkg_a.py")


@pytest.mark.parametrize("name", ["analysis.py", "scripts/analysis.py"])
def test_a_script_that_says_what_it_needs_has_that_at_hand(world: World, name: str) -> None:
    said = "\n".join(f"# {line}" for line in ('dependencies = ["one==1"]', *world.uv.splitlines()))
    text = f"# /// script\n{said}\n# ///\nimport one\nprint(one.V)\n"
    assert world.move({name: text}) == Verdict(State.OK)
    assert world.say("uv", "run", "--no-sync", "--script", name) == "1\n"
    assert not (world.code / ".venv").exists()
    assert world.noted() == Verdict(State.OK)


def test_of_several_locks_the_first_wins_and_the_others_are_told(world: World) -> None:
    text = project("p", backend=False)
    world.move({"pyproject.toml": text, "requirements.txt": "nothing-of-this-name\n"}, lock=True)
    world.move({"requirements.txt": "nothing-of-this-name\n", "package-lock.json": "{}"})
    assert kinds.kind_of(world.tree).name == "uv.lock"
    assert [kind.name for kind in kinds.passed_over(world.tree)] == ["package-lock.json"]


@pytest.mark.parametrize("name", kinds.OFFERS)
def test_a_kind_that_is_not_looked_after_is_named_with_the_line_that_does(house: House, name: str) -> None:
    house.edit(name, f"{kinds.OFFERS[name].holds}default]\n")
    world = World(house, house.code)
    verdict = world.noted()
    assert verdict.state is State.NONE
    assert str(verdict.detail).startswith(f"{name} is there: wtwatch config environment ")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p", environment="auto")


def test_a_project_file_that_is_no_toml_is_told_and_holds_jobs_up(world: World) -> None:
    verdict = world.move({"pyproject.toml": "[project\n", "setup.py": ""})
    assert verdict.state is State.BROKEN and "pyproject.toml is not valid TOML" in str(verdict.detail)
    assert not (world.code / ".venv").exists()
    with pytest.raises(WtwatchError, match="not valid TOML"):
        kinds_required(world)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"requirements.txt": "one ===== 1\n"}, "requirements.txt"),
        ({"requirements.txt": "-r gone.txt\n"}, "gone.txt"),
        ({"pyproject.toml": project("p", backend=False), "uv.lock": "no { lock\n"}, "uv.lock"),
        ({"pyproject.toml": "[project\n", "uv.lock": "version = 1\n"}, "pyproject.toml"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_the_tools_words(
    world: World, files: dict[str, str], said: str
) -> None:
    verdict = world.move(files)
    assert verdict.state is State.BROKEN and said in str(verdict.detail) and "(log: " in str(verdict.detail)
    assert world.noted() == verdict, "so jobs wait, and it is not tried again before something changes"
    assert world.move(
        {"requirements.txt": f"{world.options}one==1\n", "uv.lock": None, "pyproject.toml": None}
    ).ready
    assert world.value("one") == "1"


def test_a_tool_that_is_missing_is_named(world: World) -> None:
    world.move({"pyproject.toml": "[tool.poetry]\n", "poetry.lock": ""})
    with pytest.raises(WtwatchError, match="poetry is not on PATH"):
        kinds_required(world)
    assert "poetry is not on PATH" in str(world.noted().detail)


def kinds_required(world: World) -> None:
    from wtwatch.tree import environment

    environment.require_tools(world.tree)


def test_a_lock_that_does_not_fit_its_project_is_told_in_the_tools_words(world: World) -> None:
    text = project("p", 'dependencies = ["one==1"]', backend=False)
    world.move({"pyproject.toml": text}, lock=True)
    verdict = world.move({"pyproject.toml": text.replace("==1", "==2")})
    assert verdict.state is State.BROKEN and "uv.lock" in str(verdict.detail)
    assert world.value("one") == "1"


def test_requirements_that_lead_to_each_other_are_read_once(world: World) -> None:
    files = {"requirements.txt": "-r b.txt\n", "b.txt": "-r requirements.txt\n-r gone.txt\n-e ./lib\n"}
    world.house.commit({**files, "lib/pyproject.toml": project("lib")})
    world.house.sync()
    paths = [line.split()[0] for line in world.wanted().splitlines()]
    assert paths == ["b.txt", "gone.txt", "lib/pyproject.toml", "requirements.txt"]


COMMAND = "cat environment.yml > ../built"


@pytest.mark.parametrize(
    ("command", "settings", "file"),
    [
        ("cat environment.yml > ../built", {}, "environment.yml"),
        ("sh make/env.sh > ../built", {}, "make/env.sh"),
        ("cat deps/list > ../built", {"env_files": ("deps/*",)}, "deps/list"),
        ("cat odd > ../built; cat a.py > ../built", {}, "a.py"),
    ],
)
def test_a_command_is_run_again_when_what_it_reads_changed(
    tmp_path: Path, command: str, settings: dict[str, tuple[str, ...]], file: str
) -> None:
    world = World.built(tmp_path, environment=command, **settings)
    built = world.tree.path / "built"
    for text in ("echo 1\n", "echo 2\n"):
        assert world.move({file: text}) == Verdict(State.OK)
        assert built.read_text().strip() in (text.strip(), text.split()[1])
    built.unlink()
    assert world.put_right() == Verdict(State.OK) and not built.exists()


def test_files_that_a_command_does_not_read_do_not_run_it_again(tmp_path: Path) -> None:
    world = World.built(tmp_path, environment="date >> ../built")
    world.move({"environment.yml": "x\n"})
    before = (world.tree.path / "built").read_text()
    world.move({"a.py": "a = 7\n"})
    assert (world.tree.path / "built").read_text() == before


def test_a_command_may_have_its_environment_where_a_setting_says(tmp_path: Path) -> None:
    command = "mkdir -p env/bin && printf '#!/bin/sh\\necho tool' > env/bin/tool && chmod +x env/bin/tool"
    world = World.built(tmp_path, environment=command, env_prefix="env")
    assert world.move({"environment.yml": "x\n", ".gitignore": "env/\n"}) == Verdict(State.OK)
    from wtwatch.project.jobenv import for_jobs

    assert for_jobs(world.tree)["PATH"].startswith(str(world.code / "env" / "bin"))
    (world.code / "env").rename(tmp_path / "gone")
    assert world.put_right() == Verdict(State.OK)


def test_a_package_comes_with_its_requirements_and_what_it_asks_for_itself(world: World) -> None:
    files = {
        "requirements.txt": "one==1\n",
        "pyproject.toml": project("mine", 'dependencies = ["two"]') + "# needs two\n",
        "backend.py": BACKEND,
        "pkg_mine.py": "V = 1\n",
    }
    assert world.move(files) == Verdict(State.OK)
    assert (world.value("one"), world.value("two"), world.value("pkg_mine")) == ("1", "1", "1")


def test_many_folders_of_data_are_not_searched_for_scripts(world: World) -> None:
    head = "# /// script\n# dependencies = []\n# ///\n"
    world.house.commit({f"d{number}/a.py": head for number in range(60)})
    world.house.sync()
    assert kinds.kind_of(world.tree) == kinds.NONE
