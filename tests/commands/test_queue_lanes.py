"""What `queue add` and `show` say of jobs that run side by side, or could."""

from __future__ import annotations

import pytest

from tests.conftest import Say
from tests.house import House
from tests.queue.samples import A
from wtwatch.doors import capacity
from wtwatch.doors.capacity import Capacity
from wtwatch.queue.jobs import Queue
from wtwatch.tree import weight
from wtwatch.words.model import Ended, Outcome, Running, now

BATCH = ("queue", "add", "--each", "n=1,2,3", "-i", "in", "-o", "out/{n}", "--", "touch {outputs}")


@pytest.fixture
def four(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house on a host of four processors."""
    monkeypatch.setattr(capacity, "of_this_host", lambda: Capacity(4, 8_000))
    return house


def test_what_lanes_would_bring_and_cost_is_said_once(four: House, say: Say) -> None:
    main = four.project.main_tree
    assert "lanes" not in say(main, "queue", "add", "-o", "alone", "--", "true").out, "one job"
    assert "lanes" not in say(main, *BATCH[:6], "--", "echo {n}").out, "none says what it makes"
    assert "lanes" not in say(main, *BATCH[:2], "--dry-run", *BATCH[2:]).out
    told = " ".join(say(main, *BATCH).out.split())
    size, files = weight.of(four.project.run_tree).bytes, weight.of(four.project.run_tree).files
    assert "The 3 jobs run one after the other. `wtwatch config lanes 3` runs 3 at a time, each in a" in told
    assert f"for {files} files)" in told and files == len(four.git("ls-files").split("\n")) + 1 and size >= 0
    assert "lanes" not in say(main, *BATCH).out


def test_as_many_lanes_are_offered_as_the_host_has_room_for(four: House, say: Say) -> None:
    said = say(four.project.main_tree, *BATCH[:2], "--cpus", "2", *BATCH[2:]).out
    assert "`wtwatch config lanes 2`" in " ".join(said.split())


def test_where_the_run_tree_is_gone_nothing_is_offered_and_jobs_are_queued_all_the_same(
    four: House, say: Say
) -> None:
    main, queue = four.project.main_tree, Queue(four.project.state)
    four.project.run_tree.rename(main.parent / "away")
    assert "lanes" not in say(main, *BATCH).out
    assert len(queue.jobs()) == 3 and not queue.lanes_offered()


def test_on_a_host_of_one_processor_no_lanes_are_offered(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "of_this_host", lambda: Capacity(1, 8_000))
    assert "lanes" not in say(house.project.main_tree, *BATCH).out


def test_what_lanes_cost_is_said_before_they_are_made(four: House, say: Say) -> None:
    main = four.project.main_tree
    told = " ".join(say(main, "config", "lanes", "4").out.split())
    assert told.startswith("lanes = 4 Each lane is a copy of the tree's files (links to the annex; about ")
    assert "made when jobs are due, and used again." in told
    told = " ".join(say(main, "config", "lanes", "9").out.split())
    assert "This host has 4 processors, and each job takes one at least: no more run at a time." in told
    assert say(main, "config", "lanes", "1").out == "lanes = 1\n"


def test_with_lanes_it_is_said_which_jobs_run_alone_and_which_read_what_they_do_not_say(
    four: House, say: Say
) -> None:
    main = four.project.main_tree
    say(main, "config", "lanes", "2")
    assert "declare" not in say(main, *BATCH).out
    told = " ".join(say(main, "queue", "add", "--each", "n=1,2", "--", "echo {n}").out.split())
    assert "They declare no outputs (-o), and may write anything: each runs alone, beside no other." in told
    told = " ".join(say(main, "queue", "add", "--each", "n=1,2", "-o", "{n}", "--", "true").out.split())
    assert "They declare no inputs (-i): what others of the batch make meanwhile is not there for" in told
    assert "declare" not in say(main, "queue", "add", "--", "true").out, "a batch of one job"


def test_show_says_which_job_one_waits_for_and_why(four: House, say: Say) -> None:
    main, queue = four.project.main_tree, Queue(four.project.state)
    say(main, "config", "lanes", "4")
    say(main, "queue", "add", "--yes", "--each", "o=out,out/x", "--mem", "6GB", "-o", "{o}", "--", "true")
    say(main, "queue", "add", "--mem", "6GB", "-o", "else", "--", "true")
    queue.begin(1, Running(now(), A, A, "u"))
    assert "Job 1 runs. It waits for job 1, which makes out too." in " ".join(
        say(main, "show", "2").out.split()
    )
    queue.begin(3, Running(now(), A, A, "v"))
    assert "Jobs 1, 3 run." in " ".join(say(main, "show", "2").out.split())


def test_show_says_that_all_lanes_are_taken(four: House, say: Say) -> None:
    main, queue = four.project.main_tree, Queue(four.project.state)
    say(main, "config", "lanes", "2")
    say(main, *BATCH)
    for number in (1, 2):
        queue.begin(number, Running(now(), A, A, f"u{number}"))
    assert "Jobs 1, 2 run. All 2 lanes are taken." in " ".join(say(main, "show", "3").out.split())


@pytest.mark.parametrize(
    ("asked", "why", "way"),
    [
        (("--time", "90min"), "time limit of 1 h 30 min reached", "--time 3h 1"),
        (("--mem", "2GB"), "memory limit of 2 GB reached: it had 3 GB", "--mem 4GB 1"),
    ],
)
def test_of_a_job_that_took_all_it_asked_for_show_says_how_it_gets_more(
    four: House, say: Say, asked: tuple[str, str], why: str, way: str
) -> None:
    main, queue = four.project.main_tree, Queue(four.project.state)
    say(main, "queue", "add", *asked, "--", "true")
    queue.begin(1, Running(now(), A, A, "u"))
    queue.end(1, Ended(now(), now(), A, Outcome.FAILED, 1, (), why))
    queue.note_cleared()
    told = " ".join(say(main, "show", "1").out.split())
    assert f"wtwatch queue retry {way}. All that" in told
    say(main, "queue", "retry", *way.split())


def test_show_says_what_of_the_host_a_job_waits_for(four: House, say: Say) -> None:
    main = four.project.main_tree
    say(main, "config", "lanes", "4")
    say(main, "queue", "add", "--mem", "6GB", "--each", "n=1,2", "-o", "{n}", "--", "true")
    Queue(four.project.state).begin(1, Running(now(), A, A, "u"))
    told = " ".join(say(main, "show", "2").out.split())
    assert "It waits for 6 GB of memory: job 1 has 6 of 8 GB." in told
