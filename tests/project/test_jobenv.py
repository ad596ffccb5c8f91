"""Jobs get no program of the main tree's environment, and none of wtwatch's own but the tools it drives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import Lab
from wtwatch.project.jobenv import for_jobs, withheld
from wtwatch.project.tree import RunTree


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def program(folder: Path, name: str = "python") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder / name


def folders(house: House) -> list[str]:
    return for_jobs(house.tree)["PATH"].split(os.pathsep)


def test_jobs_find_the_python_of_the_run_tree_first(house: House) -> None:
    wanted = program(house.code / ".venv" / "bin")
    assert shutil.which("python", path=for_jobs(house.tree)["PATH"]) == str(wanted)


def test_an_environment_of_the_main_tree_that_is_active_in_the_shell_stays_out(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    active = program(house.project.main_code / ".venv" / "bin").parent
    (tmp_path / "shortcut").symlink_to(active)
    path = os.pathsep.join([str(active), str(tmp_path / "shortcut"), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("VIRTUAL_ENV", str(active.parent))
    assert not {str(active), str(tmp_path / "shortcut")} & set(folders(house))
    assert "VIRTUAL_ENV" not in for_jobs(house.tree)


@pytest.mark.parametrize("active", [True, False])
def test_of_wtwatchs_own_environment_jobs_find_the_tools_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, active: bool
) -> None:
    own = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([*([own] if active else []), "/usr/bin", "/bin"]))
    found = folders(house)
    assert own not in found and found[2:] == ["/usr/local/bin", "/usr/bin", "/bin"]
    names = {program.name for program in Path(found[1]).iterdir()}
    assert {"datalad", "git-annex"} <= names
    assert all(name.startswith(("git", "datalad", "uv")) for name in names)
    assert shutil.which("wtwatch", path=for_jobs(house.tree)["PATH"]) is None


def test_jobs_use_the_git_annex_that_the_daemon_uses_and_nothing_that_lies_beside_it(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("git-annex", "git-annex-remote-x", "python3"):
        program(tmp_path / "bin", name)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    path = for_jobs(house.tree)["PATH"]
    for name in ("git-annex", "git-annex-remote-x"):
        found = shutil.which(name, path=path)
        assert found and Path(found).resolve() == tmp_path / "bin" / name
    assert not (shutil.which("python3", path=path) or "").startswith(str(tmp_path))


def test_jobs_get_the_same_from_a_bare_and_from_a_rich_shell(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = for_jobs(house.tree)
    rich = {
        "FSLDIR": "/opt/fsl",
        "PYTHONOPTIMIZE": "1",
        "LC_ALL": "de_DE.UTF-8",
        "TZ": "Asia/Tokyo",
        "TOKEN": "x",
    }
    for name, value in rich.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"/opt/fsl/bin:{os.environ['PATH']}")
    assert for_jobs(house.tree) == bare
    assert withheld([*rich, "TERM", "PWD", "SSH_AUTH_SOCK", "OMP_NUM_THREADS"]) == [
        "FSLDIR",
        "OMP_NUM_THREADS",
        "PYTHONOPTIMIZE",
    ]


def test_jobs_reach_what_the_user_can_reach(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    access = {"SSH_AUTH_SOCK": "/run/x", "https_proxy": "http://p", "KRB5CCNAME": "k", "UV_INDEX_URL": "u"}
    for name, value in {**access, "CUDA_VISIBLE_DEVICES": "1", "UV_NO_EDITABLE": "1"}.items():
        monkeypatch.setenv(name, value)
    made = for_jobs(house.tree)
    assert {name: made.get(name) for name in access} == access
    assert made["CUDA_VISIBLE_DEVICES"] == "1" and "UV_NO_EDITABLE" not in made
    assert {name for name in made if name.startswith("PYTHON")} == {"PYTHONPYCACHEPREFIX"}


def test_jobs_get_the_trees_own_environment_and_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(lab.code / ".venv"))
    monkeypatch.setenv("PYTHONPATH", str(lab.code / "src"))
    lab.handmade_run_tree()
    env = for_jobs(RunTree.of(lab.project()))
    assert env["VIRTUAL_ENV"] == str(lab.run_code / ".venv") and "PYTHONPATH" not in env
    answer = subprocess.run(
        ["python", "-c", "import process2p; print(process2p.__file__)"],
        cwd=lab.run,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(answer.stdout.strip()).is_relative_to(lab.run_code)
