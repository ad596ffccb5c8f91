"""What commands do and say while jobs run in lanes, and what becomes of lanes."""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.at_work import at_work
from tests.commands.night import TIMES, beside, plots, queue_of
from tests.conftest import Say
from tests.house import House
from tests.lab import eventually
from tests.screens import assert_screen
from wtwatch.doors.files import held
from wtwatch.doors.processes import identity
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder
from wtwatch.lanes import looking, making, notes, readying
from wtwatch.lanes.notes import Held, Lease
from wtwatch.project.config import read_project, write_project
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import ExecNote, Waits
from wtwatch.queue.progress import Waiter
from wtwatch.reconcile import BEHIND, TickOptions, tick
from wtwatch.tree import weight
from wtwatch.views import glance, holdup
from wtwatch.views.holdup import HoldUp
from wtwatch.views.logtail import Tail
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Trigger, now, stamp


def lane_of(house: House, number: int = 1) -> RunTree:
    """Make a lane, and return it."""
    lane = RunTree.of_lane(house.project, number)
    notes.begin(lane)
    with held(lane.lock):
        making.make(lane, making.lacking(house.tree, lane, house.head(house.project.run_tree)))
    return lane


def making_of(house: House, number: int) -> None:
    """Begin to make a lane, which ends as soon as somebody asks for that."""
    lane = RunTree.of_lane(house.project, number)
    notes.begin(lane)
    base = house.head(house.project.run_tree)
    lacks = making.lacking(house.tree, lane, base)
    with ExitStack() as stack:
        stack.enter_context(held(lane.lock))
        stand = readying.Stand(readying.Wish(base, house.head(), 1), lacks)
        work = readying.beside(house.tree, lane, stand, stack)

    def end() -> None:
        eventually(lambda: not notes.is_to_be_made(lane), within=120)
        work(lambda: False)

    threading.Thread(target=end).start()


def queued(house: House) -> None:
    queue_of(house).add(plots("240226I"), Trigger.NOW, house.head(house.project.main_code))


def test_a_sync_names_all_jobs_that_run_in_lanes_and_what_they_mean_for_a_move(
    house: House, say: Say
) -> None:
    main = house.project.main_tree
    queued(house)
    beside(house, 1, 2)
    assert say(main, "sync").out == "p: at the tip; jobs 1-2 run.\n"
    house.commit({"a.py": "new\n"})
    assert say(main, "sync").out == "p: jobs 1-2 run, so nothing moves; the move follows after their batch.\n"


def test_who_waits_within_a_job_in_a_lane_for_that_very_job_is_told_so(house: House, say: Say) -> None:
    queued(house)
    beside(house, 1, 2)
    with held(RunTree.of_lane(house.project, 1).lock):
        assert (
            "runs within job 1, and waits for that"
            in say(house.project.main_tree, "queue", "wait", code=1).err
        )


def test_forget_takes_lanes_away_but_none_in_which_a_job_runs_or_anything_lies(
    house: House, say: Say
) -> None:
    main, lane = house.project.main_tree, lane_of(house)
    queued(house)
    jobs = beside(house, 1, 2)
    assert "Jobs 1, 2 of p are running" in say(main, "forget", code=1).err
    for job in jobs:
        queue_of(house).end(job.id, Ended(now(), now(), house.head(), Outcome.SUCCEEDED, 0, lane=1))
    (lane.path / "notes.txt").write_text("mine\n")
    refused = say(main, "forget", code=1).err
    assert "notes.txt, which is nowhere else" in refused and str(lane.path) in refused
    assert (lane.path / "notes.txt").read_text() == "mine\n" and say(main, "queue", "list").out
    (lane.path / "notes.txt").unlink()
    making_of(house, 2)
    assert "no longer watched" in say(main, "forget").out
    assert not lane.path.exists() and not notes.known(house.project)
    assert lane.path.name not in house.git("worktree", "list", cwd=main)


@pytest.mark.parametrize("columns", [80, 120])
def test_list_and_show_say_in_which_lane_a_job_runs(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    house = House(house.project._replace(lanes=2))
    write_project(house.project)
    queued(house)
    beside(house, 1, 2)
    queue_of(house).end(1, Ended(now(), now(), house.head(), Outcome.SUCCEEDED, 0, lane=1))
    main, shown = house.project.main_tree, []
    for words in ("list", "show 1", "show 2", "show 3"):
        shown += [f"$ wtwatch queue {words}", say(main, "queue", *words.split()).out]
    times = {r"(ran|runs for) \d[\d.]* s": r"\1 0.1 s", r"\d{4}-\d\d-\d\d [\d:]{8}": "2026-11-25 06:30:00"}
    assert_screen(f"queue-lanes.{columns}", "\n".join(shown), {**TIMES, **times})
    document = json.loads(say(main, "queue", "list", "--json").out)
    assert [job["lane"] for job in document["jobs"]] == [1, 2, None]


def test_show_says_why_a_job_was_put_back_also_when_it_runs_again_and_has_ended(
    house: House, say: Say
) -> None:
    queued(house)
    main, queue, why = house.project.main_tree, queue_of(house), "frames/a changed meanwhile"

    def shown() -> str:
        return " ".join(say(main, "queue", "show", "1").out.split())

    def begun(uuid: str) -> None:
        queue.begin(1, Running(now(), house.head(), house.head(), uuid, 1))

    for times in (1, 2):
        begun(f"uuid-{times}")
        queue.put_back(1, why)
        assert queue.job(1).word == "waiting"
        often = "2 times, last " if times == 2 else ""
        assert re.search(rf"put back {often}\d{{4}}-\d\d-\d\d [\d:]{{8}}: {why}", shown())
    (document,) = json.loads(say(main, "queue", "list", "--json").out)["jobs"][:1]
    assert (document["put_back"]["times"], document["put_back"]["why"]) == (2, why)
    begun("uuid-3")
    assert why in shown()
    queue.end(1, Ended(now(), now(), house.head(), Outcome.FAILED, 1, lane=1))
    assert why in shown()
    queue.retry([1])
    assert queue.job(1).put_back is None, "the next attempt was not"
    (before,) = queue.attempts(1)
    assert before.put_back and before.put_back.why == why


def test_what_keeps_results_from_the_run_tree_ends_a_wait_only_once_nothing_computes(
    house: House, say: Say
) -> None:
    queued(house)
    beside(house, 1, 2)
    queue = queue_of(house)
    queue.note_waits(Waits("The run tree is off its branch.", "Take it back.", False, now()))

    def held() -> HoldUp | None:
        return holdup.of_queue(house.project, Waiter(queue.file, [1, 2, 3]).look(None), None)

    told = held()
    assert told and "is off its branch" in told.reason and not told.lasts
    for job in queue.living():
        folder = Folder.of(house.project.state, job.id, job.attempt).path
        (folder / "outcome").write_text(json.dumps({"exit": 0, "ended": stamp(now())}))
    told = held()
    assert told and told.lasts
    assert "It is done, and its result waits" in say(house.project.main_tree, "show", "1").out
    queue.note_waits(None)
    assert held() is None
    myself = identity(os.getpid())
    assert myself is not None
    queue.note_exec(ExecNote(myself, "make", now()))
    told = held()
    assert told and "`wtwatch exec -- make`" in told.reason and not told.lasts


def test_logs_of_several_jobs_are_followed_by_whole_lines_with_their_numbers(house: House, say: Say) -> None:
    main, queue = house.project.main_tree, queue_of(house)
    queue.add([JobSpec(f"make {n}") for n in range(10)], Trigger.NOW, house.head())
    for number, printed in ((9, "one\n10%\r90%\rtwo\r\nno end"), (10, "three\n")):
        queue.begin(number, Running(now(), house.head(), house.head(), f"u{number}", lane=number))
        log = Folder.of(house.project.state, number, 1).log
        log.parent.mkdir(parents=True)
        log.write_bytes(printed.encode())
        queue.end(number, Ended(now(), now(), house.head(), Outcome.FAILED, 1, (), "it lied", number))
    told = say(main, "queue", "logs", "-f", "9", "10")
    assert told.out == " 9 │ one\n 9 │ two\n 9 │ no end\n10 │ three\n"
    assert told.err.splitlines() == [f"Job {job} failed (exit 1): it lied" for job in (9, 10)]
    assert say(main, "queue", "logs", "-f", "9-10", "--grep", "t.").out == " 9 │ two\n10 │ three\n"


def test_a_line_that_is_not_whole_yet_waits_for_its_end(house: House) -> None:
    queued(house)
    job, _ = beside(house, 1, 2)
    log = Folder.of(house.project.state, job.id, 1).log
    tail = Tail(house.project, job, None)
    assert list(tail.lines(job)) == []
    parts: list[tuple[bytes, list[bytes]]] = [
        (b"be", []),
        (b"gun\n1%\r", [b"begun"]),
        (b"2%\rdone", []),
        (b"\nmore", [b"done"]),
    ]
    for written, lines in parts:
        with log.open("ab") as file:
            file.write(written)
        assert list(tail.lines(job)) == lines
    over = job._replace(state=Ended(now(), now(), house.head(), Outcome.SUCCEEDED, 0))
    assert list(tail.lines(over)) == [b"more"] and tail.is_over_now(over) and not tail.is_over_now(over)


def test_what_lanes_cost_is_said_when_they_are_asked_for_and_what_becomes_of_them_after(
    house: House, say: Say
) -> None:
    main = house.project.main_tree
    told = " ".join(say(main, "config", "lanes", "3").out.split())
    files = weight.of(house.project.run_tree).files
    assert told.startswith("lanes = 3 Each lane is a copy of") and f"for {files} files), made when" in told
    assert "run.lane1 to run.lane3." in told
    assert "Whole paths" in told and "wtwatch config lanes 1" in told
    lane = lane_of(house, 2)
    said = say(main, "config", "lanes", "1")
    assert "run.lane2 goes as soon as free" in said.out and "No daemon runs, so they stay" in said.err
    for refused in ("0", "10000", "some"):
        assert "lanes must be" in say(main, "config", "lanes", refused, code=2).err
    write_project(house.project._replace(lanes=1))
    tick(house.project, TickOptions())
    assert not lane.path.exists()


def test_within_a_lane_all_commands_mean_its_project(house: House, say: Say, tmp_path: Path) -> None:
    lane = lane_of(house)
    for words in (("status",), ("queue", "list"), ("config", "lanes")):
        for folder in (lane.path, lane.code_path):
            assert say(folder, *words).out == say(house.project.run_tree, *words).out
    shown = say(lane.path, "show", ".gitmodules").out
    assert shown == say(house.project.run_tree, "show", ".gitmodules").out
    roots = [("p", (str(house.project.main_tree), str(house.project.run_tree))), ("q", ("/q", "/q-runs"))]
    assert glance.meant(roots, None, str(lane.code_path)) == ["p"]
    elsewhere = tmp_path / "run.lanes"
    elsewhere.mkdir()
    assert "lies in no main or run tree" in say(elsewhere, "queue", "list", code=2).err


def test_doctor_looks_at_lanes_and_locks_them_again(house: House) -> None:
    lane = lane_of(house)
    write_project(house.project._replace(lanes=2))

    def told() -> dict[str, tuple[bool, str]]:
        project = read_project(house.project.state / "config.toml")
        return {one.subject: (one.ok, one.message) for one in looking.findings(project)}

    assert told()["lane 1"] == (True, "whole, locked, sharing the annex, and free")
    mark = Repo(lane.code_path).git_dir() / "locked"
    house.git("worktree", "unlock", str(lane.code_path), cwd=house.code)
    assert told()["lanes"][0] and "lane 1" in mark.read_text()
    notes.note_held(lane, Held("It holds out/1, which is nowhere else.", "Delete it."))
    assert told()["lane 1"] == (False, "It holds out/1, which is nowhere else.")
    with at_work(lane.path, "cat"):
        ok, said = told()["lane 1"]
        assert ok and said.startswith("cat (pid ")
    notes.note_lease(lane, Lease(7, 1))
    notes.note_held(lane, None)
    assert told()["lane 1"] == (True, "job 7 has it")
    write_project(house.project._replace(lanes=1))
    notes.note_lease(lane, None)
    assert "not needed any more" in told()["lane 1"][1]


def test_a_job_is_not_queued_again_nor_removed_before_its_lane_is_cleared_up(house: House, say: Say) -> None:
    main, lane = house.project.main_tree, RunTree.of_lane(house.project, 1)
    queued(house)
    (job,) = beside(house, 1)
    queue_of(house).end(job.id, Ended(now(), now(), house.head(), Outcome.FAILED, 1, lane=1))
    for verb in ("retry", "remove"):
        assert "lane 1 is not cleared up behind it yet" in say(main, "queue", verb, "1", code=1).err
    notes.note_lease(lane, None)
    assert say(main, "queue", "retry", "1").out.startswith("1 job again")
    notes.note_lease(lane, Lease(1, 1))
    assert say(main, "queue", "remove", "1").out.startswith("Removed"), "it waits by now"


def test_all_jobs_in_lanes_are_told_to_stop(house: House, say: Say) -> None:
    queued(house)
    beside(house, 1, 2)
    assert say(house.project.main_tree, "queue", "cancel", "1-3").out == (
        "3 jobs cancelled; jobs 1-2 are told to stop.\n"
    )


def test_who_works_in_a_lane_is_named_as_long_as_that_goes_on(house: House, say: Say) -> None:
    lane = lane_of(house)
    with at_work(lane.path, "cat") as there:
        assert tick(house.project, TickOptions()).again_in == BEHIND
        held_by = notes.held(lane)
        assert held_by and held_by.by and held_by.by.pid == there.pid and lane.path.is_dir()
        assert "lane 1       ! cat (pid" in say(house.project.main_tree, "status").out
    assert notes.held(lane) is None and "lane 1" not in say(house.project.main_tree, "status").out
    assert tick(house.project, TickOptions()).again_in is None and not lane.path.exists()
