"""`wtwatch show`: one way to ask what a thing is."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.night import TIMES, a_night, queue_of, ran
from tests.conftest import Say
from tests.house import House
from tests.screens import assert_screen
from wtwatch.job.attempt import Folder
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Trigger, now
from wtwatch.words.uses import Uses

CLOCKS = {
    r"queued       \d\d:\d\d": "queued       14:05",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "2026-11-25 14:05:03",
    r"\b\d\d:\d\d, on": "14:05, on",
    r"\b0\.\d s\b": "0.1 s",
} | TIMES


def shown(house: House, say: Say, *things: str) -> str:
    """Return what is shown, with the places of this test as a home has them."""
    out = say(house.project.main_tree, "show", *things).out
    return out.replace(str(house.project.main_tree.parent), "/home/ada")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_failed_job_that_was_tried_again(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    a_night(house)
    [again] = queue_of(house).retry([2])
    left = house.tree.shelf / "jobs" / f"2.{again.attempt}"
    left.mkdir(parents=True)
    why = f"code was written to: src/plot.py; what it left is in {left}"
    trace = 'Traceback (most recent call last):\n  File "plot.py"\nValueError: decimal comma in column 3\n'
    assert [ran(house), ran(house), ran(house, Outcome.FAILED, 1, why, trace)] == [7, 8, 2]
    monkeypatch.setenv("COLUMNS", str(columns))
    assert_screen(f"show-job.{columns}", shown(house, say, "2"), CLOCKS)


def test_a_job_says_what_it_waits_for_and_what_would_start_it(house: House, say: Say) -> None:
    a_night(house)
    queue = queue_of(house)
    assert "It waits for the next move of runs (wtwatch release makes one)" in shown(house, say, "9")
    assert "1 job comes before it. Jobs wait, but no daemon runs: wtwatch" in shown(house, say, "8")
    queue.pause()
    assert "The queue is paused: wtwatch queue resume" in shown(house, say, "8")
    job = queue.next_job(though_paused=True)
    assert job is not None
    queue.begin(job.id, Running(now(), house.head(), house.head(), "uuid"))
    assert "Job 7 runs." in shown(house, say, "8")
    assert "It runs: wtwatch queue logs -f 7" in shown(house, say, "7")
    queue.end(7, Ended(now(), now(), house.head(), Outcome.UNCHANGED, 0))
    assert "wtwatch queue retry 7" in shown(house, say, "7")
    assert "It never ran." in shown(house, say, "6")


def test_what_git_refused_is_said_with_the_way_to_save_it(house: House, say: Say) -> None:
    a_night(house)
    queue_of(house).retry([2])
    why = "the result could not be committed: no results on Fridays"
    assert [ran(house), ran(house), ran(house, Outcome.FAILED, 1, why, "add(ok): out (file)\n")] == [7, 8, 2]
    Folder.of(house.project.state, 2, queue_of(house).job(2).attempt).write_refused(why)
    assert "To save it, and run nothing again: wtwatch queue retry 2" in " ".join(
        shown(house, say, "2").split()
    )
    assert why in say(house.project.main_tree, "status", code=1).out


def test_what_a_command_took_is_shown(house: House, say: Say) -> None:
    a_night(house)
    folder = Folder.of(house.project.state, 2, queue_of(house).job(2).attempt).path
    folder.mkdir(parents=True, exist_ok=True)
    used = {"cpu_seconds": 1.5, "peak_memory_mb": 1083}
    (folder / "command").write_text(json.dumps({"exit": 0, "error": None, "code": 0, "used": used}))
    assert "1.5 s of processors, 1,083 MB of memory at most" in shown(house, say, "2")


def test_what_a_job_used_of_the_code_is_shown_in_numbers_and_whole(house: House, say: Say) -> None:
    queue = queue_of(house)
    jobs = [job.id for job in queue.add([JobSpec("x")] * 2, Trigger.NOW, house.head())]
    for job, uses in zip(jobs, (Uses(("a.py", "b.py"), ("data",), ("",)), Uses(whole="why")), strict=True):
        queue.begin(job, Running(now(), house.head(), house.head(), f"uuid {job}"))
        queue.end(job, Ended(now(), now(), house.head(), Outcome.SUCCEEDED), uses=uses)
    assert "used         2 files of code, and what 1 folder had: wtwatch show --uses 1" in shown(
        house, say, "1"
    )
    assert "used         all of code counts: why" in shown(house, say, "2")
    assert shown(house, say, "--uses", "1") == "a.py\nb.py\ndata/\n"
    assert shown(house, say, "--uses", "2") == "Job 2: all of code counts: why\n"
    document = json.loads(shown(house, say, "--uses", "--json", "1", "2"))
    assert [one["uses"]["whole"] for one in document["jobs"]] == [None, "why"]
    assert "goes with --uses" in say(house.project.main_tree, "show", "--json", "1", code=2).err


def test_standing_orders_and_several_things_are_shown(house: House, say: Say) -> None:
    a_night(house)
    assert_screen("show-standing", shown(house, say, "s1"), CLOCKS)
    both = shown(house, say, "s1", "1")
    assert both.startswith("s1 ") and "\n\njob 1 " in both
    assert shown(house, say, "1") == say(house.project.main_tree, "queue", "show", "1").out.replace(
        str(house.project.main_tree.parent), "/home/ada"
    )


def test_a_standing_order_of_stale_results_is_shown_as_what_it_is(house: House, say: Say) -> None:
    specs = [JobSpec(f"x {n}", outputs=(f"out/{n}",), if_stale=True) for n in range(4)]
    queue_of(house).add_standing(specs, house.head())
    main, said = house.project.main_tree, "those of 4 results that it touches"
    assert f"s1  standing: {said}, a new batch at every move\n" in say(main, "show", "s1").out
    assert f"s1 standing: {said} at every move: x 0" in say(main, "queue", "list").out
    assert f"at every move: {said}\n" in say(main, "status").out


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_batch_is_a_grid_of_its_values_where_that_fits(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    a_night(house)
    monkeypatch.setenv("COLUMNS", str(columns))
    text = "\n".join(f"$ wtwatch show {batch}\n{shown(house, say, batch)}" for batch in ("b1", "b2", "b3"))
    assert_screen(f"show-batch.{columns}", text, CLOCKS)


def test_a_batch_that_runs_says_how_far_it_is(house: House, say: Say) -> None:
    specs = [JobSpec(f"x {n}", values=(("a", "1"), ("n", str(n)))) for n in range(3)]
    queue = queue_of(house)
    queue.add(specs, Trigger.NOW, house.head())
    ran(house)
    queue.begin(2, Running(now(), house.head(), house.head(), "uuid"))
    told = shown(house, say, "b1")
    assert "▶ 2 for " in told and "· 1 of 3 done" in told
    assert "  1  ✓ 1  ▶ 2  · 3\n" in told


@pytest.mark.parametrize("thing", ["", "99", "9" * 30, "s2", "b99", "20261125T101010Z-abcdef"])
def test_what_is_not_there_is_a_usage_error_with_a_way_out(house: House, say: Say, thing: str) -> None:
    a_night(house)
    told = say(house.project.main_tree, "show", thing, code=2).err
    assert told.count("Error: ") == 1 and "Hint: " in told


def test_text_of_a_job_commands_no_terminal(house: House, say: Say) -> None:
    spec = JobSpec("echo '\x1b[2J'\nexit", "m\x1b]0;x\x07", values=(("v", "\x1b[1m"),))
    queue_of(house).add([spec], Trigger.NOW, house.head())
    for words in (("show", "1"), ("queue", "list")):
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", say(house.project.main_tree, *words).out)


def test_all_that_keeps_a_job_from_starting_is_said(house: House, say: Say) -> None:
    queue = queue_of(house)
    queue.add([JobSpec("x"), JobSpec("y")], Trigger.NOW, house.head())
    queue.add([JobSpec("z")], Trigger.ON_MOVE, house.head())
    queue.pause()
    told = " ".join(shown(house, say, "2").split())
    assert "1 job comes before it. The queue is paused: wtwatch queue resume. Jobs wait, but no" in told
    queue.resume()
    house.commit({"a.py": "a = 2\n"})
    told = " ".join(shown(house, say, "3").split())
    assert "It becomes due by the move of runs that was made. Jobs wait, but no daemon" in told
    queue.cancel([1, 2])
    assert "It starts when runs has been still for 30 s: to have" in " ".join(shown(house, say, "3").split())


def test_what_a_failed_job_left_names_that_job(house: House, say: Say) -> None:
    a_night(house)
    left = house.tree.shelf / "jobs" / "4.1" / "plots" / "half.svg"
    left.parent.mkdir(parents=True)
    left.touch()
    assert "left by      job 4, attempt 1 (wtwatch show 4)" in shown(house, say, str(left))
    said = say(left.parent, "show", "./half.svg", "--project", "p").out
    assert "job 4, attempt 1" in said
