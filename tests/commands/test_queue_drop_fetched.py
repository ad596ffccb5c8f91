"""`wtwatch queue add --drop-fetched`: what is queued, what is said of it, and what is refused."""

from __future__ import annotations

import json

from tests.conftest import Say
from tests.house import House
from wtwatch.queue import kinds
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, now


def test_it_is_kept_with_the_job_and_shown(house: House, say: Say) -> None:
    main, words = house.project.main_tree, ("--drop-fetched", "-i", "raw", "--", "true")
    assert (
        "  and drops again what it gets of what it needs\n"
        in say(main, "queue", "add", "--dry-run", *words).out
    )
    say(main, "queue", "add", *words)
    say(main, "queue", "add", "-i", "raw", "--", "true")
    assert [job.spec.drop_fetched for job in Queue(house.project.state).jobs()] == [True, False]
    assert "(dropped again, what the job itself gets of them)" in say(main, "show", "1").out
    assert "dropped again" not in say(main, "show", "2").out
    jobs = json.loads(say(main, "queue", "list", "--json").out)["jobs"]
    assert [job["drop_fetched"] for job in jobs] == [True, False]


def test_without_declared_inputs_it_is_refused(house: House, say: Say) -> None:
    answer = say(house.project.main_tree, "queue", "add", "--drop-fetched", "--", "true", code=2)
    assert "none is declared" in answer.err and "Declare them with -i" in answer.err
    assert Queue(house.project.state).jobs() == []


def test_a_failure_is_over_when_the_same_succeeds_that_drops_what_it_gets() -> None:
    def job(number: int, spec: JobSpec, outcome: Outcome) -> Job:
        return Job(number, number, 1, spec, now(), Ended(now(), now(), None, outcome, None, (), None))

    spec = JobSpec("true", inputs=("raw",))
    failed = job(1, spec, Outcome.FAILED)
    done = job(2, spec._replace(drop_fetched=True), Outcome.SUCCEEDED)
    assert kinds.to_retry([failed, done]) == ([], [failed])
