"""`wtwatch queue`: what it says and does beyond the queue's own rows."""

from __future__ import annotations

import os

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.doors.processes import identity
from wtwatch.job.attempt import Folder
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Trigger, now


def test_a_removed_job_takes_its_folders_along_but_not_what_it_left(house: House, say: Say) -> None:
    project = house.project
    Queue(project.state).add([JobSpec("one"), JobSpec("two")], Trigger.ON_MOVE, house.head())
    folders = [Folder.of(project.state, job, attempt).path for job, attempt in ((1, 1), (1, 2), (2, 1))]
    for folder in folders:
        folder.mkdir(parents=True)
    left = house.tree.shelf / "jobs" / "1.1"
    left.mkdir(parents=True)
    said = say(project.main_tree, "queue", "remove", "1").out
    assert [folder.exists() for folder in folders] == [False, False, True]
    assert left.is_dir() and str(left) in said
    say(project.main_tree, "queue", "remove", "1", code=2)


@pytest.mark.parametrize("verb", ["show", "logs", "cancel", "retry", "remove"])
def test_a_number_that_is_too_great_is_no_job(house: House, say: Say, verb: str) -> None:
    Queue(house.project.state).add([JobSpec("one")], Trigger.ON_MOVE, house.head())
    said = say(house.project.main_tree, "queue", verb, "9" * 24, code=2)
    assert "There is no job 999" in said.err


def test_a_sync_while_a_job_runs_names_a_move_only_if_there_is_one(house: House, say: Say) -> None:
    main, at = house.project.main_tree, house.head()
    house.git("update-ref", house.tree.applied_ref, at)
    queue = Queue(house.project.state)
    job, _ = queue.add([JobSpec("one"), JobSpec("two")], Trigger.NOW, at)
    queue.begin(job.id, Running(now(), at, at, "uuid"))
    folder = Folder.of(house.project.state, job.id, job.attempt)
    folder.path.mkdir(parents=True)
    myself = identity(os.getpid())
    assert myself is not None
    folder.write_started(myself, "uuid", now())
    assert say(main, "sync").out == "p: at the tip; job 1 runs.\n"
    house.commit({"a.py": "new\n"})
    assert say(main, "sync").out == "p: job 1 runs, so nothing moves; the move follows after its batch.\n"


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def add(house: House, say: Say, *words: str, code: int = 0) -> tuple[str, str]:
    said = say(house.project.main_tree, "queue", "add", *words, code=code)
    return said.out, said.err


def end_next(house: House, outcome: Outcome = Outcome.FAILED) -> Job:
    queue, at = queue_of(house), house.head()
    job = queue.next_job(though_paused=True)
    assert job is not None
    queue.begin(job.id, Running(now(), at, at, f"uuid-{job.id}"))
    queue.end(job.id, Ended(now(), now(), at, outcome, int(outcome is Outcome.FAILED)))
    queue.note_cleared()
    return job


def states(house: House) -> dict[int, str]:
    return {job.id: job.word for job in queue_of(house).jobs()}


def test_a_dry_run_shows_the_jobs_and_queues_nothing(house: House, say: Say) -> None:
    words = ("-m", "Plot {s}", "-i", "in/{s}", "-o", "out/{s}", "--each", "s=A,B", "--", "plot {inputs} {s}")
    out, err = add(house, say, "--dry-run", *words)
    assert out.splitlines() == [
        "1  Plot A",
        "   plot in/A A",
        "   needs in/A",
        "   makes out/A",
        "2  Plot B",
        "   plot in/B B",
        "   needs in/B",
        "   makes out/B",
        "That would be 2 jobs; nothing was queued.",
    ]
    assert "in/A, in/B: not there" in err
    assert not queue_of(house).file.exists()


def test_an_input_that_nobody_has_is_warned_of_and_queued_all_the_same(house: House, say: Say) -> None:
    out, err = add(house, say, "-i", "nope", "-o", "made", "--", "x {inputs}")
    assert out.startswith("Job 1 in batch 1") and "Warning: nope: not there" in err
    _, err = add(house, say, "-i", "made", "--", "x {inputs}")
    assert "Warning" not in err, "job 1 makes it"


def test_two_jobs_that_make_the_same_file_are_queued_only_if_that_is_said(house: House, say: Say) -> None:
    words = ("-o", "out.csv", "--each", "s=A,B", "--", "x {s} {outputs}")
    _, err = add(house, say, *words, code=2)
    assert "more than one of them makes 'out.csv'" in err and "--yes" in err
    assert not queue_of(house).file.exists()
    add(house, say, "--yes", *words)
    assert list(states(house)) == [1, 2]


def test_more_than_a_thousand_jobs_are_queued_only_if_that_is_said(house: House, say: Say) -> None:
    many = ",".join(map(str, range(1001)))
    _, err = add(house, say, "--each", f"n={many}", "--", "x {n}", code=2)
    assert "1,001 jobs" in err and "--yes" in err and not queue_of(house).file.exists()
    out, _ = add(house, say, "--yes", "--each", f"n={many}", "--", "x {n}")
    assert "Jobs 1–1001 in batch 1" in out


def test_the_first_of_a_batch_run_alone_and_the_reason_is_shown(house: House, say: Say) -> None:
    out, _ = add(house, say, "--first", "1", "--each", "s=A,B,C", "--", "x {s}")
    assert "After 1 job the queue pauses" in out
    end_next(house, Outcome.SUCCEEDED)
    assert queue_of(house).next_job() is None
    main = house.project.main_tree
    shown = say(main, "queue", "list").out
    assert "paused (batch 1 has run its first job, as was asked)" in shown
    say(main, "queue", "resume")
    assert queue_of(house).next_job() is not None


def test_jobs_are_named_by_number_range_and_batch_everywhere(house: House, say: Say) -> None:
    main = house.project.main_tree
    for _ in range(2):
        add(house, say, "--each", "s=A,B,C,D", "--", "x {s}")
    say(main, "queue", "cancel", "2-3", "8")
    assert [number for number, word in states(house).items() if word == "cancelled"] == [2, 3, 8]
    say(main, "queue", "cancel", "--batch", "2")
    assert [number for number, word in states(house).items() if word == "waiting"] == [1, 4]
    assert "4 jobs again" in say(main, "queue", "retry", "--batch", "2").out
    say(main, "queue", "remove", "1-4")
    assert list(states(house)) == [5, 6, 7, 8]


def test_what_failed_in_several_batches_is_tried_again_once(house: House, say: Say) -> None:
    main = house.project.main_tree
    for _ in range(3):
        add(house, say, "--", "same")
        end_next(house)
    add(house, say, "--", "mended")
    end_next(house)
    add(house, say, "--", "mended")
    end_next(house, Outcome.SUCCEEDED)
    out = say(main, "queue", "retry", "--failed").out
    assert "1 job again" in out and "Job 1 is not run again" in out and "Job 4 is not run again" in out
    assert [number for number, word in states(house).items() if word == "waiting"] == [3]
    assert queue_of(house).unseen() == 0
    say(main, "queue", "retry", "--failed", code=2)


def test_of_a_batch_the_failures_alone_can_be_tried_again(house: House, say: Say) -> None:
    for _ in range(2):
        add(house, say, "--each", "s=A,B", "--", "x {s}")
    for outcome in (Outcome.FAILED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED):
        end_next(house, outcome)
    main = house.project.main_tree
    assert "1 job again" in say(main, "queue", "retry", "--failed", "--batch", "2").out
    assert states(house) == {1: "failed", 2: "succeeded", 3: "waiting", 4: "succeeded"}


def test_to_resume_what_was_not_paused_says_so(house: House, say: Say) -> None:
    main = house.project.main_tree
    assert say(main, "queue", "resume").out == "Nothing was paused.\n"
    say(main, "queue", "pause")
    assert say(main, "queue", "resume").out == "Going on.\n"


def test_to_cancel_a_batch_that_is_over_says_that_it_is(house: House, say: Say) -> None:
    main, queue = house.project.main_tree, queue_of(house)
    queue.add([JobSpec("one")], Trigger.NOW, house.head())
    assert "None of these jobs has ended." in say(main, "queue", "retry", "--batch", "1", code=2).err
    say(main, "queue", "cancel", "--batch", "1")
    said = say(main, "queue", "cancel", "--batch", "1", code=2).err
    assert "All of these jobs are over." in said and "wtwatch queue list" in said


def test_held_jobs_are_shown_and_approved_one_a_batch_or_all(house: House, say: Say) -> None:
    main, queue = house.project.main_tree, queue_of(house)
    queue.hold([JobSpec(f"theirs {number}") for number in range(4)])
    queue.hold([JobSpec("more 1"), JobSpec("more 2")])
    assert "! 6 jobs need approval" in say(main, "status").out
    assert "! needs approval" in say(main, "queue", "list", "--state", "held").out
    assert "To have it run: wtwatch queue approve 1" in " ".join(say(main, "show", "1").out.split())
    assert "Approved 1 job, now batch 3" in say(main, "queue", "approve", "2").out
    assert "Approved 2 jobs" in say(main, "queue", "approve", "--batch", "2").out
    assert [number for number, word in sorted(states(house).items()) if word == "held"] == [1, 3, 4]
    assert "wtwatch queue approve 1" in say(main, "queue", "wait", "1", code=1).err
    assert "Approved 3 jobs" in say(main, "queue", "approve", "--all").out
    for words in (("--all",), ("1",), ("--all", "1"), ()):
        say(main, "queue", "approve", *words, code=2)
