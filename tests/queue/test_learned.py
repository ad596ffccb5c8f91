"""What attempts used of the code is kept once for all of which it is the same, and goes with the last."""

from __future__ import annotations

import pytest

from tests.queue.samples import A
from wtwatch.queue.database import reading
from wtwatch.queue.jobs import Queue
from wtwatch.queue.learned import UNKNOWN
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Trigger, now
from wtwatch.words.uses import Uses, from_record, recorded

ONE = Uses(("code/a.py", "code/b\udcff.py"), ("code/data",), ("code",))
ALL = Uses(whole="so much was opened")


def run(queue: Queue, job: int, uses: Uses | None) -> None:
    queue.begin(job, Running(now(), A, A, f"uuid {job}"))
    queue.end(job, Ended(now(), now(), A, Outcome.SUCCEEDED), uses=uses)
    queue.note_cleared()


def bodies(queue: Queue) -> int:
    with reading(queue.file) as db:
        return int(db.execute("SELECT count(*) FROM uses").fetchone()[0])


def test_each_attempt_has_its_uses_and_equal_ones_are_kept_once(queue: Queue) -> None:
    jobs = [job.id for job in queue.add([JobSpec("true")] * 4, Trigger.NOW, A)]
    for job, uses in zip(jobs, (ONE, ONE, ALL, None), strict=True):
        run(queue, job, uses)
    assert [queue.uses(job) for job in jobs] == [ONE, ONE, ALL, UNKNOWN]
    queue.retry([jobs[0]])
    assert queue.uses(jobs[0]) == UNKNOWN and queue.uses(jobs[0], attempt=1) == ONE
    run(queue, jobs[0], ALL)
    assert queue.all_uses() == {(1, 1): ONE, (1, 2): ALL, (2, 1): ONE, (3, 1): ALL}
    assert bodies(queue) == 2


def test_uses_go_with_the_last_attempt_that_had_them(queue: Queue) -> None:
    jobs = [job.id for job in queue.add([JobSpec("true")] * 2, Trigger.NOW, A)]
    for job in jobs:
        run(queue, job, ONE)
    queue.remove(jobs[:1])
    assert bodies(queue) == 1
    queue.remove(jobs[1:])
    assert bodies(queue) == 0


@pytest.mark.parametrize(
    "uses",
    [ONE, ALL, ONE._replace(files=tuple(f"code/module{n}.py" for n in range(5000)))],
)
def test_a_record_gives_back_what_was_put_into_it(uses: Uses) -> None:
    noted = recorded(uses)
    assert from_record(noted) == uses and len(str(noted)) < 30_000
    str(noted).encode()  # as messages of commits are


def test_of_a_record_that_says_it_otherwise_nothing_is_believed() -> None:
    assert recorded(Uses(tuple(f"{n * 7919:x}" * 9 for n in range(90_000)))).keys() == {"whole"}
    for facts in (None, 3, {"packed": "?"}, {"packed": "aGFsbG8="}, {"files": 3}, {"other": 1}):
        assert from_record(facts) is None
