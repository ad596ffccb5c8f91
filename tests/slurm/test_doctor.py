"""What `wtwatch doctor` says of a cluster, with the way out of each fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually
from tests.slurm.cluster import NODE, PATIENCE, Cluster
from wtwatch.project.config import Project
from wtwatch.setup import cluster as checks
from wtwatch.setup.finding import Finding
from wtwatch.setup.onnode import Node

pytestmark = pytest.mark.slow


@pytest.fixture
def project(slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(checks, "LATE", 2.0)
    house = House.built(tmp_path / "house").project
    house.state.mkdir(parents=True, exist_ok=True)
    return house._replace(executor=(("kind", "slurm"),))


def faults(project: Project) -> dict[str, Finding]:
    return {one.subject: one for one in checks.findings(project) if not one.ok}


def test_a_cluster_that_can_do_the_jobs_is_well(project: Project) -> None:
    found = list(checks.findings(project))
    assert [one.subject for one in found] == ["Slurm", "accounting", "node"]
    assert all(one.ok and one.hint is None for one in found), found
    assert found[-1].message == f"{NODE} sees both trees, and has the same programs"
    assert not list(project.state.glob("node-*"))


def test_without_a_cluster_nothing_is_said_of_one(project: Project) -> None:
    assert list(checks.findings(project._replace(executor=()))) == []


def test_programs_that_are_not_on_path_are_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sbatch, squeue, sacct" in faults(project)["Slurm"].message


def test_a_controller_that_does_not_answer_is_named(slurm: Cluster, project: Project) -> None:
    slurm.kill("slurmctld")
    assert "does not answer" in faults(project)["Slurm"].message


def test_a_partition_and_an_account_that_are_not_there_are_named_with_those_that_are(
    project: Project,
) -> None:
    wrong = (("kind", "slurm"), ("partition", "nowhere"), ("account", "nobody"))
    found = faults(project._replace(executor=wrong))
    assert found["partition"].message == "There is no partition nowhere; there are test, low, high."
    assert "you have lab" in found["account"].message
    assert found["account"].hint == "wtwatch config executor.account lab"


def test_a_run_tree_that_nodes_do_not_see_is_named(slurm: Cluster, project: Project, tmp_path: Path) -> None:
    hidden(slurm, project.run_tree)
    assert f"{NODE} does not see the run tree" in faults(project)["node"].message


def test_a_main_tree_that_nodes_do_not_see_is_named(slurm: Cluster, project: Project) -> None:
    hidden(slurm, project.state)
    assert "its node does not see" in faults(project)["node"].message


def hidden(slurm: Cluster, folder: Path) -> None:
    """Have a folder be another one on the node; the mount ends with the test's folders."""
    words = slurm.inside("mount", "-t", "tmpfs", "tmpfs", str(folder))
    subprocess.run(words, check=True)


def test_a_setup_line_without_which_a_node_has_no_python_is_named(project: Project) -> None:
    wrong = (("kind", "slurm"), ("setup", "exec no-such-command-here"))
    found = faults(project._replace(executor=wrong))["node"]
    assert "no-such-command-here" in found.message


def test_a_node_that_is_not_free_for_long_is_no_fault(
    slurm: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "PATIENCE", 1.0)
    slurm.say("scontrol", "update", "partitionname=test", "state=down")
    *_, last = checks.findings(project)
    slurm.say("scontrol", "update", "partitionname=test", "state=up")
    assert last.ok and "PartitionDown" in last.message
    eventually(lambda: not slurm.say("squeue", "--noheader"), within=PATIENCE)


HERE = Node("here", 1000.0, "c", True, "3.11.1", "0.2.0", "2.40", "10.1")


@pytest.mark.parametrize(
    ("node", "ok", "said"),
    [
        (HERE._replace(cookie="d"), False, "another folder"),
        (HERE._replace(clock=900.0), False, "off by 95 s"),
        (HERE._replace(clock=1020.0), False, "off by 20 s"),
        (HERE._replace(git_annex=""), False, "no git-annex"),
        (HERE._replace(git="", git_annex=""), False, "no git and no git-annex"),
        (HERE._replace(git="2.30"), True, "git 2.30 (here 2.40)"),
    ],
)
def test_what_is_off_on_a_node_is_named(node: Node, ok: bool, said: str) -> None:
    first, *_ = checks.judged(node, HERE, 995.0, Path("/run"))
    assert first.ok is ok and said in first.message and first.hint
