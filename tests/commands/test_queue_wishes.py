"""`wtwatch queue add --cpus --mem --time --gpus`: kept with the job, shown, kept by a retry, checked."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Say
from tests.house import House
from tests.queue.samples import A, ended
from wtwatch.queue.jobs import Queue
from wtwatch.words import resources
from wtwatch.words.model import Outcome, Running, now
from wtwatch.words.resources import Resources

WISHES = ("--cpus", "1", "--mem", "200MB", "--time", "1h30min")
SAID = "1 processor, 200 MB of memory, 1 h 30 min at most"


def test_what_a_job_asks_for_is_kept_with_it_and_shown(house: House, say: Say) -> None:
    main = house.project.main_tree
    assert f"  asks for {SAID}\n" in say(main, "queue", "add", "--dry-run", *WISHES, "--", "true").out
    say(main, "queue", "add", *WISHES, "--", "true")
    say(main, "queue", "add", "--", "true")
    assert SAID in " ".join(say(main, "show", "1").out.split())
    assert "asks for" not in say(main, "show", "2").out
    jobs = json.loads(say(main, "queue", "list", "--json").out)["jobs"]
    keys = ("cpus", "memory_mb", "time_limit", "gpus")
    assert [[job[key] for key in keys] for job in jobs] == [[1, 200, 5400, None], [None] * 4]


def test_a_retry_asks_for_the_same_but_for_what_it_is_told(house: House, say: Say) -> None:
    main, queue = house.project.main_tree, Queue(house.project.state)
    say(main, "queue", "add", *WISHES, "--", "true")
    queue.begin(1, Running(now(), A, A, "u"))
    queue.end(1, ended(Outcome.FAILED, A))
    queue.note_cleared()
    say(main, "queue", "retry", "--time", "4h", "1")
    assert resources.of(queue.job(1).spec) == Resources(1, 200, 4 * 3600)


def test_what_this_host_does_not_have_at_all_is_refused_with_what_there_is(house: House, say: Say) -> None:
    main = house.project.main_tree
    for words in (("--mem", "900TB"), ("--cpus", "99999"), ("--gpus", "999")):
        answer = say(main, "queue", "add", *words, "--", "true", code=2)
        assert "A job asks for" in answer.err and "and this host has" in answer.err
        assert "Ask for at most --" in answer.err or "Leave --gpus out" in answer.err
        assert answer.err == say(main, "queue", "add", "--dry-run", *words, "--", "true", code=2).err
    assert Queue(house.project.state).jobs() == []
    say(main, "config", "executor.kind", "slurm")
    say(main, "queue", "add", "--mem", "900TB", "--", "true")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cpus", "0"), "'--cpus'"),
        (("--cpus", "x"), "'--cpus'"),
        (("--gpus", "-1"), "'--gpus'"),
        (("--mem", "lots"), "Write it like 20GB"),
        (("--mem", ""), "empty"),
        (("--mem", "0GB"), "is no size of memory"),
        (("--time", "2"), "Write it like 2h"),
        (("--time", ""), "empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(house: House, say: Say, words: tuple[str, str], said: str) -> None:
    answer = say(house.project.main_tree, "queue", "add", *words, "--", "true", code=2)
    assert said in answer.err
    assert Queue(house.project.state).jobs() == []
