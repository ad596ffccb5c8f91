"""The test house keeps its own promises."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.building import DRUGS, SUBJECTS
from tests.conftest import MakeLab
from tests.lab import Lab, eventually, plot_of
from tests.room import sealed_env

CLEAN = "nothing to save, working tree clean\n"


def test_a_test_that_undoes_its_own_patches_stays_in_the_sealed_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ITS_OWN", "1")
    monkeypatch.undo()
    assert "ITS_OWN" not in os.environ and os.environ["HOME"] == str(tmp_path / "home")


def test_workers_that_share_a_home_never_read_half_a_setting(tmp_path: Path) -> None:
    def settings() -> str:
        return (tmp_path / ".gitconfig").read_text() + (tmp_path / "jj.toml").read_text()

    sealed_env(tmp_path, tmp_path, {})
    whole = settings()
    other = threading.Thread(target=lambda: [sealed_env(tmp_path, tmp_path, {}) for _ in range(300)])
    other.start()
    while other.is_alive():
        assert settings() == whole
    other.join()


def test_datalad_takes_the_project_for_its_own_and_finds_it_clean(any_lab: Lab) -> None:
    assert any_lab.datalad("status", "-r", "--untracked", "all") == CLEAN
    found = any_lab.datalad("-f", "{path} {gitmodule_datalad-id}", "subdatasets").splitlines()
    assert [line.split()[0] for line in found] == [str(any_lab.code), str(any_lab.inputs)]
    assert all(len(line.split()[1]) == 36 for line in found)


def test_a_plot_depends_on_inputs_and_version(lab: Lab) -> None:
    environment = {"PATH": f"{lab.code}/.venv/bin:/usr/bin:/bin"}
    figures = set()
    for version in ("v1", "v2"):
        lab.edit_version(version)
        for subject in SUBJECTS:
            for drug in DRUGS:
                command = plot_of(subject, drug)
                lab.say("sh", "-c", command, env=environment)
                figures.add((lab.main / "05_visualization" / subject / drug / "F.svg").read_text())
    assert len(figures) == 2 * len(SUBJECTS) * len(DRUGS)


def test_a_copy_does_not_lean_on_its_template(make_lab: MakeLab) -> None:
    make_lab("git", "first")
    lab = make_lab("git", "it's a  földer")
    assert lab.say("grep", "-rlI", "template-git", ".", code=(0, 1)).out.split() == []


def test_changes_of_code_move_the_bookmark_only_when_told(any_lab: Lab) -> None:
    first = any_lab.move_bookmark()
    second = any_lab.change_code("v2", "a second version")
    assert any_lab.commit("runs") == first != second
    assert any_lab.move_bookmark() == second
    third = any_lab.amend_code("v3")
    assert third != second
    assert any_lab.commit(f"{third}^") == first


def test_a_handmade_run_tree_is_nested_clean_and_on_the_branch(any_lab: Lab) -> None:
    any_lab.handmade_run_tree()
    for part in (".", "inputs/L5b_2p", "code"):
        assert any_lab.git("symbolic-ref", "--short", "HEAD", cwd=any_lab.run / part) == "runs"
    assert any_lab.datalad("status", "-r", cwd=any_lab.run) == CLEAN
    annex = (any_lab.run / "04_dataframes" / SUBJECTS[0] / DRUGS[0] / "F.pkl").read_text()
    assert annex.startswith(SUBJECTS[0])


def test_a_plot_waits_at_its_gate_and_can_be_made_to_fail(lab: Lab) -> None:
    gate = lab.gate("it's a gate")
    command = plot_of(SUBJECTS[0], "LSD", f"--fail-on LSD {gate.words}")
    path = f"{lab.code}/.venv/bin:/usr/bin:/bin"
    with subprocess.Popen(["sh", "-c", command], cwd=lab.main, env={"PATH": path}) as job:
        eventually(gate.reached)
        assert job.poll() is None
        gate.open()
    assert job.returncode == 7


def test_what_still_works_in_a_lab_is_ended_with_it(lab: Lab) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=lab.code, stdin=subprocess.PIPE) as left:
        lab.clear_out()
        assert left.wait(5) == -9


def test_a_daemon_runs_while_its_body_does_and_stops_when_told(any_lab: Lab) -> None:
    any_lab.wtwatch("init", "--bookmark", "runs")
    with any_lab.daemon() as daemon:
        tip = any_lab.change_code("v2", "a second version")
        any_lab.move_bookmark()
        eventually(lambda: any_lab.status()["applied"] == tip)
        assert daemon.poll() is None
    assert daemon.returncode == 0


def test_plots_are_queued_for_each_subject_and_drug(lab: Lab) -> None:
    lab.wtwatch("init")
    lab.queue_plots("--now", drugs=["LSD"], options="--fail-on 240226I")
    assert [job["state"] for job in lab.jobs()] == ["waiting"] * len(SUBJECTS)


def test_eventually_fails_when_nothing_happens() -> None:
    with pytest.raises(pytest.fail.Exception, match="still not so"):
        eventually(lambda: False, within=0.05)
