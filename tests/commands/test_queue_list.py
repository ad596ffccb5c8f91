"""`wtwatch queue list`: a night of jobs as a page, from a real queue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.night import TIMES, a_night, queue_of, ran
from tests.conftest import Say
from tests.house import House
from tests.screens import assert_screen
from wtwatch.job import elsewhere
from wtwatch.job.attempt import Folder
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.words.model import JobSpec, Running, Trigger, now


@pytest.mark.parametrize("columns", [80, 120])
def test_the_page_of_a_night(house: House, say: Say, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    a_night(house)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert_screen(f"queue-list.{columns}", say(house.project.main_tree, "queue", "list").out, TIMES)


def test_why_a_job_waits_on_a_cluster_is_in_its_line(house: House, say: Say) -> None:
    queue = queue_of(house)
    jobs = queue.add(
        [JobSpec(f"job {n}", outputs=(f"out/{n}",)) for n in range(3)], Trigger.NOW, house.head()
    )
    said = ("waits there: Priority", "runs: on node7", "not known: Slurm does not answer")
    for lane, (job, seen) in enumerate(zip(jobs, said, strict=True), 1):
        queue.begin(job.id, Running(now(), house.head(), house.head(), f"u{lane}", lane))
        folder = Folder.of(house.project.state, job.id, 1)
        folder.path.mkdir(parents=True)
        elsewhere.note_seen(folder, seen)
    lines = say(house.project.main_tree, "queue", "list").out.splitlines()[1:]
    assert [line.partition("(")[2] for line in lines] == [
        "lane 1, waits there: Priority)",
        "lane 2)",
        "lane 3, not known: Slurm does not answer)",
    ]


def test_filters_show_what_they_say(house: House, say: Say) -> None:
    a_night(house)
    queue_of(house).pause()
    shown = []
    for words in (
        ["--failed"],
        ["--state", "waiting"],
        ["--batch", "1", "--state", "cancelled"],
        ["-n", "3"],
    ):
        shown += [f"$ wtwatch queue list {' '.join(words)}"]
        shown += [say(house.project.main_tree, "queue", "list", *words).out]
    assert_screen("queue-list-filtered", "\n".join(shown), TIMES)
    say(house.project.main_tree, "queue", "list", "--state", "bad", code=2)
    say(house.project.main_tree, "queue", "list", "--batch", "", code=2)
    say(house.project.main_tree, "queue", "list", "-n", "-1", code=2)
    assert "no such" in say(house.project.main_tree, "queue", "list", "--batch", "2", "--failed").out


def test_a_batch_that_is_not_there_is_an_error_whichever_jobs_of_it_are_asked_for(
    house: House, say: Say
) -> None:
    a_night(house)
    for more in ([], ["--json"], ["--failed"], ["--all-projects"], ["--batch", "1"]):
        refused = say(house.project.main_tree, "queue", "list", "--batch", "9", *more, code=2)
        assert refused.out == "" and "There is no batch 9." in refused.err, more


def test_the_newest_are_shown_and_how_many_are_not(house: House, say: Say) -> None:
    queue_of(house).add([JobSpec(f"job {n}") for n in range(70)], Trigger.NOW, house.head())
    lines = say(house.project.main_tree, "queue", "list").out.splitlines()
    assert lines[0] == "… 20 older: -n 0 shows all"
    assert lines[2].endswith("job 20") and lines[-1].endswith("job 69")
    assert len(say(house.project.main_tree, "queue", "list", "-n", "0").out.splitlines()) == 71
    assert len(json.loads(say(house.project.main_tree, "queue", "list", "--json").out)["jobs"]) == 70
    assert (
        len(json.loads(say(house.project.main_tree, "queue", "list", "--json", "-n", "7").out)["jobs"]) == 7
    )


def test_programs_read_values_and_attempts_too(house: House, say: Say) -> None:
    a_night(house)
    jobs = json.loads(say(house.project.main_tree, "queue", "list", "--json").out)["jobs"]
    assert [job["id"] for job in jobs] == [1, 3, 4, 5, 6, 2, 7, 8, 9, 10]
    again = jobs[5]
    assert (again["batch"], again["attempt"], again["values"]["drug"]) == (2, 2, "Saline")
    [first] = again["attempts"]
    assert (first["batch"], first["attempt"], first["state"], first["exit"]) == (1, 1, "failed", 1)
    assert [job["acknowledged"] for job in jobs if job["state"] == "failed"] == [True]


def test_all_projects_are_listed_from_anywhere(house: House, say: Say, tmp_path: Path) -> None:
    a_night(house)
    other = house.project._replace(name="q", state=house.project.state.with_name("q"), bookmark="other")
    other.state.mkdir()
    write_project(other)
    register("q", other.state)
    out = say(tmp_path, "queue", "list", "--all-projects", "-n", "1").out
    assert out.splitlines()[0] == "p" and out.endswith("\nq\nThe queue is empty.\n")
    found = json.loads(say(tmp_path, "queue", "list", "--all-projects", "--json").out)
    assert {job["project"] for job in found["jobs"]} == {"p"}


@pytest.mark.parametrize("words", [("status",), ("queue", "list"), ("queue", "show", "1")])
def test_a_closed_stdout_is_no_trouble(house: House, words: tuple[str, ...]) -> None:
    a_night(house)
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-P", "-m", "wtwatch", *words],
        cwd=house.project.main_tree,
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode in (0, 1), done.stderr) == (True, "")


def test_why_the_queue_is_paused_fits_the_page(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_of(house).add([JobSpec("one"), JobSpec("two")], Trigger.NOW, house.head(), first=1)
    ran(house)
    monkeypatch.setenv("COLUMNS", "80")
    *_, above, last = say(house.project.main_tree, "queue", "list").out.splitlines()
    assert f"{above} {last}".endswith("has run its first job, as was asked): wtwatch queue resume")
    assert max(map(len, (above, last))) <= 80
