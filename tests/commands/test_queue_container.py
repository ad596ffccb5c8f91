"""`wtwatch queue add --container`: what is queued, what is said of it, and what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.project.config import write_project
from wtwatch.queue.jobs import Queue


@pytest.fixture(autouse=True)
def known(house: House) -> None:
    """A run tree that knows the containers fsl-5 and fsl-6."""
    for name in ("fsl-5", "fsl-6"):
        add_to(house.project.run_tree, name)


def add_to(top: Path, name: str) -> None:
    for item, value in (("image", f".datalad/environments/{name}/image"), ("cmdexec", "run {img} {cmd}")):
        key = f"datalad.containers.{name}.{item}"
        (top / ".datalad").mkdir(exist_ok=True)
        subprocess.run(["git", "config", "-f", str(top / ".datalad/config"), key, value], check=True)


def queued(house: House) -> list[tuple[str, str | None]]:
    return [(job.spec.command, job.spec.container) for job in Queue(house.project.state).jobs()]


def test_jobs_run_in_a_container_each_in_its_own_if_its_values_say_so(house: House, say: Say) -> None:
    main = house.project.main_tree
    words = ("--container", "fsl-{v}", "--each", "v=5,6", "-o", "out/{v}", "--", "bet", "{outputs}")
    assert "in the container fsl-6\n" in say(main, "queue", "add", "--dry-run", *words).out
    said = say(main, "queue", "add", *words)
    assert "Warning" not in said.err and queued(house) == [
        ("bet {outputs}", "fsl-5"),
        ("bet {outputs}", "fsl-6"),
    ]
    shown = say(main, "show", "2").out
    assert "command      run .datalad/environments/fsl-6/image bet out/6" in shown
    assert "container    fsl-6" in shown and "asked as     bet {outputs}" in shown
    (job, _) = json.loads(say(main, "queue", "list", "--json").out)["jobs"]
    assert job["container"] == "fsl-5"


def test_the_same_command_in_two_containers_is_two_jobs(house: House, say: Say) -> None:
    say(house.project.main_tree, "queue", "add", "--container", "fsl-{v}", "--each", "v=5,6", "--", "bet")
    assert queued(house) == [("bet", "fsl-5"), ("bet", "fsl-6")]


def test_of_a_line_of_which_only_a_part_runs_in_the_container_that_is_said(house: House, say: Say) -> None:
    for how in (("--dry-run",), ()):
        said = say(
            house.project.main_tree, "queue", "add", *how, "--container", "fsl-5", "--", "mkdir o && bet o/x"
        )
        assert "only the first command runs in fsl-5" in said.err and "sh -c" in said.err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("--container", "fls-5"), "knows no container 'fls-5', but fsl-5, fsl-6", "--container fsl-5?"),
        (("--container", ""), "it is empty", "wtwatch queue add -h"),
        (("--container", "{x}", "--each", "x= "), "no values", "--each x=A,B"),
        (("--container", "fsl-5", "--plain"), "no container is entered", "datalad containers-run -n fsl-5"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_queued(
    house: House, say: Say, words: tuple[str, ...], said: str, hint: str
) -> None:
    answer = say(house.project.main_tree, "queue", "add", *words, "--", "true", code=2)
    lines = [line for line in answer.err.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1 and said in " ".join(answer.err.split()) and hint in " ".join(answer.err.split())
    assert queued(house) == []


def test_one_that_only_the_main_tree_knows_is_said_to_come_from_there(house: House, say: Say) -> None:
    add_to(house.project.main_tree, "new")
    answer = say(house.project.main_tree, "queue", "add", "--container", "new", "--", "true", code=2)
    assert "`wtwatch sync --from-main` brings it" in " ".join(answer.err.split())


def test_without_a_run_tree_that_is_said(house: House, say: Say, tmp_path: Path) -> None:
    write_project(house.project._replace(run_tree=tmp_path / "gone"))
    answer = say(house.project.main_tree, "queue", "add", "--container", "fsl-5", "--", "true", code=1)
    assert "is gone" in answer.err
