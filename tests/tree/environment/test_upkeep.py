from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import Lab, eventually
from tests.tally import Kills
from wtwatch.doors.repo import Repo
from wtwatch.job.learning import Learning, Place
from wtwatch.project import jobenv
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict, commands
from wtwatch.words.errors import Busy
from wtwatch.words.model import EnvironmentState as State

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(lab: Lab) -> Project:
    """A project of uv, whose run tree has an environment that wtwatch has not seen yet."""
    lab.handmade_run_tree()
    lab.project().state.mkdir(parents=True)
    return lab.project()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p", environment="auto")


def wanted(project: Project) -> str:
    return environment.requirements(RunTree.of(project), Repo(project.run_code).tree("HEAD").values())


def look(project: Project) -> Verdict:
    """Look as after a move."""
    return environment.look(RunTree.of(project), wanted(project))


def put_right(project: Project) -> Verdict:
    """Do as a reconcile does after a move."""
    verdict = look(project)
    return verdict if verdict.ready else environment.set_up(RunTree.of(project), wanted(project), verdict)


def version(project: Project) -> str:
    """Return what a job would import."""
    python = project.run_code / ".venv/bin/python"
    words = [str(python), "-c", "import process2p.version as v; print(v.__file__)"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def test_one_that_was_never_looked_at_is_set_up_once(project: Project) -> None:
    before = (project.run_code / ".venv").stat().st_ino
    assert look(project).state is State.STALE
    assert put_right(project) == Verdict(State.OK)
    assert look(project) == environment.noted(RunTree.of(project), wanted(project)) == Verdict(State.OK)
    assert (project.run_code / ".venv").stat().st_ino == before


def test_other_requirements_are_met_in_place(lab: Lab, project: Project) -> None:
    put_right(project)
    before = (project.run_code / ".venv").stat().st_ino
    pyproject = project.run_code / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("0.1.0", "0.2.0"))
    lab.say("uv", "lock", "-q", cwd=project.run_code)
    lab.git("commit", "-qam", "other requirements", cwd=project.run_code)
    assert look(project).state is State.STALE
    assert put_right(project).ready
    assert (project.run_code / ".venv").stat().st_ino == before
    assert list((project.run_code / ".venv").glob("lib/*/site-packages/process2p-0.2.0.dist-info"))
    assert lab.git("status", "--porcelain", cwd=project.run_code) == ""


def test_one_that_imports_another_tree_is_rebuilt_and_the_old_one_kept(lab: Lab, project: Project) -> None:
    put_right(project)
    for link in (project.run_code / ".venv").glob("lib/*/site-packages/*.pth"):
        link.unlink()  # uv's cache has it too
        link.write_text(f"{lab.code}/src\n")
    found = look(project)
    assert found.state is State.BROKEN and str(lab.code) in str(found.detail)
    assert not environment.noted(RunTree.of(project), wanted(project)).ready, (
        "not forgotten if we are killed now"
    )
    assert put_right(project) == Verdict(State.OK)
    assert version(project).startswith(str(project.run_code))
    assert len(list((RunTree.of(project).shelf / "environments").iterdir())) == 1
    assert not (project.state / "journal.environment").exists()


def test_a_python_that_is_gone_is_broken(project: Project) -> None:
    put_right(project)
    python = project.run_code / ".venv/bin/python"
    python.unlink()
    assert look(project).state is State.BROKEN
    python.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
    python.chmod(0o755)
    assert "no luck" in str(look(project).detail) or look(project).state is State.STALE
    assert put_right(project).ready


def test_a_mistake_in_the_code_is_no_fault_of_the_environment(project: Project) -> None:
    put_right(project)
    (project.run_code / "src/process2p/__init__.py").write_text("this is ( no Python\n")
    assert look(project) == Verdict(State.OK)


def test_a_symlink_to_another_trees_environment_never_changes_that_one(lab: Lab, project: Project) -> None:
    place, other = project.run_code / ".venv", lab.code / ".venv"
    place.rename(lab.root / "moved")
    place.symlink_to(other)
    before = {file: file.lstat().st_mtime_ns for file in other.rglob("*")}
    assert put_right(project) == Verdict(State.OK)
    assert not place.is_symlink() and version(project).startswith(str(project.run_code))
    assert {file: file.lstat().st_mtime_ns for file in other.rglob("*")} == before
    (kept,) = (RunTree.of(project).shelf / "environments").iterdir()
    assert kept.is_symlink() and kept.readlink() == other


def test_without_requirements_there_is_nothing_to_look_after(house: House) -> None:
    assert put_right(house.project) == Verdict(State.NONE)
    house.edit("pyproject.toml", "[project]\nname = 'p'\n")
    none = House.at(house.project.main_tree.parent).project
    assert put_right(none) == Verdict(State.NONE)


def own(house: House, command: str) -> Project:
    return House.at(house.project.main_tree.parent, environment=command).project


def test_a_command_of_the_users_own_may_keep_its_environment_elsewhere(house: House) -> None:
    project = own(house, "echo once >> ../count")
    assert put_right(project) == put_right(project) == Verdict(State.OK)
    assert (project.run_tree / "count").read_text() == "once\n"
    assert environment.noted(RunTree.of(project), wanted(project)) == Verdict(State.OK)
    assert not environment.noted(RunTree.of(own(house, "true")), wanted(project)).ready, (
        "another command is another matter"
    )


def test_a_set_up_that_fails_is_told_with_its_last_words_and_not_repeated_for_ever(house: House) -> None:
    project = own(house, "echo once >> ../count; echo no network; exit 4")
    failed = put_right(project)
    assert failed.state is State.BROKEN
    assert "ended with 4" in str(failed.detail) and "no network" in str(failed.detail)
    assert environment.noted(RunTree.of(project), wanted(project)) == failed
    assert (project.run_tree / "count").read_text() == "once\n"
    assert look(project).state is State.STALE, "the next move tries once more"
    environment.forget_failure(RunTree.of(project))
    assert environment.noted(RunTree.of(project), wanted(project)).state is State.MISSING


def test_a_rebuild_that_fails_puts_the_old_one_back(house: House) -> None:
    house.edit(".venv/mine", "old")
    before = (house.code / ".venv").stat().st_ino
    project = own(house, "mkdir .venv && echo half > .venv/half; exit 1")
    failed = environment.set_up(RunTree.of(project), "", Verdict(State.BROKEN, "it is"))
    assert "the old one is back" in str(failed.detail)
    assert (house.code / ".venv").stat().st_ino == before and not (house.code / ".venv/half").exists()


def test_a_set_up_that_makes_no_environment_ends(house: House) -> None:
    house.edit(".venv/mine", "old")
    project = own(house, "rm -rf .venv; mkdir .venv")
    failed = environment.set_up(RunTree.of(project), "", Verdict(State.BROKEN, "it is"))
    assert "not right either" in str(failed.detail)
    assert (house.code / ".venv/mine").read_text() == "old"


def test_a_missing_program_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.edit("requirements.txt", "")
    tools = house.project.run_tree / "tools"
    tools.mkdir()
    for tool in ("git", "git-annex", "datalad"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(jobenv, "own_folder", lambda: tools)  # uv may have come with wtwatch
    assert "uv is not on PATH" in str(put_right(house.project).detail)


def test_a_set_up_that_is_stopped_is_not_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.edit(".venv/mine", "old")
    project = own(house, "trap '' TERM; touch ../begun; sleep 60 & wait; sleep 1")
    monkeypatch.setattr(commands, "PATIENCE", 0.2)
    begun = project.run_tree / "begun"
    stopped = environment.set_up(RunTree.of(project), "", Verdict(State.BROKEN, "it is"), begun.exists)
    assert stopped.state is State.STALE
    assert environment.noted(RunTree.of(project), "").state is State.STALE
    assert (house.code / ".venv/mine").read_text() == "old"


SET_UP = """\
import sys
from pathlib import Path
from tests.house import House
from wtwatch.tree import environment
from wtwatch.words.model import EnvironmentState
tree = House.at(Path(sys.argv[1]), environment=sys.argv[2]).tree
environment.set_up(tree, "", environment.Verdict(EnvironmentState(sys.argv[3]), "it is"))
"""


def killed(project: Project, command: str, state: State) -> None:
    """Have a set-up in a process of its own that is killed once its command has begun."""
    words = [sys.executable, "-c", SET_UP, str(project.main_tree.parent), command, state.value]
    daemon = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)})
    eventually((project.run_tree / "begun").exists)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()


def test_a_rebuild_that_is_killed_is_undone_once_its_command_has_ended(house: House, kills: Kills) -> None:
    house.edit(".venv/mine", "old")
    command = "mkdir .venv; touch .venv/half ../begun; while [ ! -e ../go ]; do sleep 0.02; done"
    project = own(house, command)
    killed(project, command, State.BROKEN)
    with kills.survived("an environment half built"):
        with pytest.raises(Busy):
            environment.recover(RunTree.of(project))
        assert (project.run_code / ".venv/half").exists()
        (project.run_tree / "go").touch()

        def recovered() -> bool:
            try:
                environment.recover(RunTree.of(project))
            except Busy:
                return False
            return True

        eventually(recovered)
        assert (project.run_code / ".venv/mine").read_text() == "old"
        assert environment.noted(RunTree.of(project), "").state is State.STALE, "so it is tried anew"


def test_a_set_up_in_place_that_is_killed_is_done_again(house: House, kills: Kills) -> None:
    command = "echo once >> ../count; touch ../begun; while [ ! -e ../go ]; do sleep 0.02; done"
    project = own(house, command)
    tree = RunTree.of(project)
    environment.set_up(RunTree.of(own(house, "true")), "", Verdict(State.MISSING))
    killed(project, command, State.STALE)
    with kills.survived("an environment half changed"):
        assert environment.noted(tree, "").state is not State.OK
        with pytest.raises(Busy):
            environment.set_up(tree, "", Verdict(State.STALE))
        (project.run_tree / "go").touch()

        def done() -> bool:
            try:
                return environment.set_up(tree, "", Verdict(State.STALE)).ready
            except Busy:
                return False

        eventually(done)
        assert (project.run_tree / "count").read_text() == "once\nonce\n"
        assert environment.noted(tree, "") == Verdict(State.OK)


def test_of_many_set_ups_only_the_last_logs_are_kept(house: House) -> None:
    logs = house.project.state / "logs"
    logs.mkdir(parents=True)
    for number in range(40):
        (logs / f"environment-20200101T{number:06d}.log").touch()
    environment.set_up(RunTree.of(own(house, "mkdir .venv")), "", Verdict(State.MISSING))
    names = sorted(log.name for log in logs.iterdir())
    assert 20 <= len(names) <= 21
    assert "environment-20200101T000039.log" in names and not names[-1].startswith("environment-2020")


def test_what_asks_for_packages_is_not_opened_again_while_a_job_may_run(house: House) -> None:
    house.commit({"requirements.txt": "-r more.txt\n", "more.txt": "one\n"})
    house.sync()

    def opened() -> set[str]:
        watched = Learning(Place(house.project.run_tree, ("code",), lambda path: False))
        watched.begin()
        assert wanted(house.project).count("\n") == 1
        return set(watched.end().opened)

    eventually(lambda: not opened())
    house.edit("more.txt", "two\n")
    assert opened() == {"code/more.txt"}
