"""`wtwatch release`: which commit may be released, what is said to follow, and what makes way for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import Lab
from wtwatch.doors.processes import identity
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.facts import ExecNote
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Job, JobSpec, Running, Sha, Trigger, now


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path / "a house")
    write_project(house.project)
    register(house.project.name, house.project.state)
    return house


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def tip(house: House) -> Sha:
    return Sha(house.git("rev-parse", house.project.bookmark_ref))


def under_way(house: House, *commands: str) -> list[Job]:
    """Queue a batch, and have its first job run as far as the queue is concerned."""
    jobs = queue_of(house).add([JobSpec(command) for command in commands], Trigger.NOW, tip(house))
    queue_of(house).begin(jobs[0].id, Running(now(), tip(house), Sha("1" * 40), "uuid"))
    return jobs


@pytest.mark.parametrize("rev", ["", " ", "^HEAD", "HEAD..main", "nowhere", "--all"])
def test_what_names_no_single_commit_is_a_usage_error_and_moves_nothing(
    house: House, say: Say, rev: str
) -> None:
    before = tip(house)
    house.commit({"a.py": "2"}, bookmark=False)
    said = say(house.project.main_tree, "release", "--", rev, code=2)
    assert "Hint: " in said.err and said.out == "" and tip(house) == before


def test_in_jj_too_only_a_single_commit_that_holds_code_can_be_released(jj_lab: Lab, say: Say) -> None:
    say(jj_lab.main, "init", "--env", "none")
    before = jj_lab.commit("refs/heads/runs")
    for rev in ("", "root()", "all()", "none()", "no such(", "nowhere"):
        said = say(jj_lab.main, "release", rev, code=2)
        assert "Hint: " in said.err and said.err.count("Error: ") == 1, rev
    assert jj_lab.commit("refs/heads/runs") == before


def test_the_working_copy_of_jj_is_released_with_a_warning(jj_lab: Lab, say: Say) -> None:
    say(jj_lab.main, "init", "--env", "none")
    say(jj_lab.main, "queue", "add", "--on-move", "--", "true")
    jj_lab.edit_version("2")
    said = say(jj_lab.main, "release", "@")
    assert "each edit rewrites it" in said.err and "jj commit" in said.err
    assert "not yet" in said.out and "working copy" in said.out
    jj_lab.jj("commit", "--quiet", "-m", "two")
    assert "each edit rewrites" not in say(jj_lab.main, "release").err


def test_a_dry_run_says_what_would_start_and_changes_nothing(house: House, say: Say) -> None:
    queue = queue_of(house)
    queue.add([JobSpec("make"), JobSpec("more")], Trigger.ON_MOVE, tip(house))
    queue.add_standing([JobSpec("plot", message="Plot all")], tip(house))
    before, new = tip(house), house.commit({"a.py": "2"}, bookmark=False, message="second version")
    said = say(house.project.main_tree, "release", "--dry-run").out
    assert f"runs would point to {new[:10]} second version" in said
    assert "batch 1, 2 jobs, such as make" in said and "s1, 1 job: Plot all" in said
    assert tip(house) == before and not queue.hurries(new)
    said = say(house.project.main_tree, "release").out
    assert f"runs now points to {new[:10]} second version" in said and "s1, 1 job: Plot all" in said
    assert tip(house) == new and queue.hurries(new)


def test_a_release_of_documentation_says_that_nothing_starts(house: House, say: Say) -> None:
    queue_of(house).add([JobSpec("make")], Trigger.ON_MOVE, tip(house))
    house.commit({"README.md": "new"}, bookmark=False)
    assert "no more than documentation" in say(house.project.main_tree, "release").out


def test_without_a_daemon_it_says_that_nothing_follows(house: House, say: Say) -> None:
    assert "No daemon runs" in say(house.project.main_tree, "release").err


def test_what_is_left_of_a_batch_runs_on_the_new_code_if_that_was_asked_for(house: House, say: Say) -> None:
    one, two, three = under_way(house, "one", "two", "three")
    house.commit({"a.py": "2"}, bookmark=False)
    said = say(house.project.main_tree, "release").out
    assert "job 1 on the old code" in said and "--after job" in said
    assert {job.batch for job in queue_of(house).jobs()} == {one.batch}
    said = say(house.project.main_tree, "release", "--dry-run", "--after", "job").out
    assert "in a new batch" in said and {job.batch for job in queue_of(house).jobs()} == {one.batch}
    said = say(house.project.main_tree, "release", "--after", "job").out
    assert "the 2 jobs left run on the new code in batch 2" in " ".join(said.split())
    assert [queue_of(house).job(job.id).batch for job in (one, two, three)] == [1, 2, 2]
    assert queue_of(house).job(one.id).word == "running"


def test_the_job_that_runs_is_stopped_for_the_new_code_if_that_was_asked_for(house: House, say: Say) -> None:
    one, _ = under_way(house, "one", "two")
    house.commit({"a.py": "2"}, bookmark=False)
    say(house.project.main_tree, "release", "--after", "cancel")
    queue = queue_of(house)
    assert queue.cancel_requested(one.id)
    assert [job.spec.command for job in queue.jobs(2)] == ["one", "two"]


def test_a_release_that_says_nothing_does_as_the_setting_says_and_one_that_does_has_its_way(
    house: House, say: Say
) -> None:
    main = house.project.main_tree
    under_way(house, "one", "two", "three")
    say(main, "config", "on_move", "after-job")
    house.commit({"README.md": "new"}, bookmark=False)
    assert "moves after that" in say(main, "release").out, "documentation concerns no job"
    new = house.commit({"a.py": "2"}, bookmark=False)
    say(main, "release", "--after", "batch")
    assert queue_of(house).awaits_end(new) and {job.batch for job in queue_of(house).jobs()} == {1}
    house.commit({"a.py": "3"}, bookmark=False)
    assert "in batch 2" in " ".join(say(main, "release").out.split())


def test_a_batch_on_the_very_commit_has_nothing_to_make_way_for(house: House, say: Say) -> None:
    under_way(house, "one", "two")
    said = say(house.project.main_tree, "release", "--after", "cancel").out
    assert "on this very code" in said
    assert not queue_of(house).cancel_requested(1) and {job.batch for job in queue_of(house).jobs()} == {1}


def test_a_sync_that_makes_a_batch_due_says_that_no_daemon_starts_it(house: House, say: Say) -> None:
    queue_of(house).add([JobSpec("make")], Trigger.ON_MOVE, tip(house))
    house.commit({"a.py": "2"})
    said = say(house.project.main_tree, "sync")
    assert "the move starts batch 1" in said.out and "No daemon runs, so nothing starts" in said.err


def test_whatever_is_to_start_jobs_says_that_no_daemon_does(house: House, say: Say) -> None:
    where = house.project.main_tree
    nothing = "No daemon runs, so nothing starts"
    assert nothing not in say(where, "sync").err and nothing not in say(where, "queue", "resume").err
    assert nothing in say(where, "queue", "add", "--", "true").err
    assert nothing in say(where, "sync").err, "there is no move, but a job that is due"
    say(where, "queue", "pause")
    assert nothing not in say(where, "sync").err, "the pause is why nothing starts"
    assert nothing in say(where, "queue", "resume").err
    say(where, "queue", "cancel", "1")
    assert nothing in say(where, "queue", "retry", "1").err


def test_the_daemon_of_another_host_is_not_missed_here(house: House, say: Say) -> None:
    write_project(house.project._replace(host="elsewhere"))
    said = say(house.project.main_tree, "queue", "add", "--", "true").err
    assert "the host elsewhere" in said and "No daemon" not in said


def test_a_branch_that_a_work_tree_is_on_is_not_moved_and_a_sync_takes_the_run_tree_off_it(
    house: House, say: Say
) -> None:
    house.here("checkout", "-q", house.project.bookmark)
    new = house.commit({"a.py": "2"}, bookmark=False)
    said = say(house.project.main_tree, "release", code=1).err
    assert "does not move the branch runs" in said and "wtwatch sync" in said
    say(house.project.main_tree, "sync")
    say(house.project.main_tree, "release")
    assert tip(house) == new


def test_a_command_by_hand_that_holds_the_tree_is_named(house: House, say: Say) -> None:
    myself = identity(os.getpid())
    assert myself is not None
    queue_of(house).note_exec(ExecNote(myself, "make", now()))
    said = say(house.project.main_tree, "release").out
    assert f"held by      wtwatch exec make (pid {os.getpid()})" in said
