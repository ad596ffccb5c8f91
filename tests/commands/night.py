"""A night of jobs in a house, as far as the queue is concerned: for the screens that show it."""

from __future__ import annotations

import os

from tests.house import House
from wtwatch.doors.processes import identity
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.lanes.notes import Lease
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, Trigger, now

TIMES = {r"(?<= )\d\d:\d\d(?= )": "14:05", r"(?<= )0\.\d s(?= )": "0.1 s"}
"""What stands for clocks, in as many columns."""

DRUGS = ("LSD", "Saline", "psilocybin")


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def plots(*animals: str) -> list[JobSpec]:
    return [
        JobSpec(
            "python code/plot.py {inputs} {outputs}",
            f"Plot {animal}, {drug}",
            (f"frames/{animal}/{drug}.pkl",),
            (f"plots/{animal}/{drug}",),
            values=(("animal", animal), ("drug", drug)),
        )
        for animal in animals
        for drug in DRUGS
    ]


def ran(
    house: House,
    outcome: Outcome = Outcome.SUCCEEDED,
    code: int = 0,
    detail: str | None = None,
    printed: str = "",
) -> int:
    """Have the next job start, and end, as far as queue and folders are concerned; return its number."""
    queue = queue_of(house)
    job = queue.next_job()
    assert job is not None
    on = Sha(house.git("rev-parse", "HEAD"))
    queue.begin(job.id, Running(now(), on, on, f"uuid-{job.id}"))
    commits = (house.head(house.project.main_tree),) if outcome is Outcome.SUCCEEDED else ()
    queue.end(job.id, Ended(now(), now(), on, outcome, code, commits, detail))
    queue.note_cleared()
    log = Folder.of(house.project.state, job.id, job.attempt).log
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"reading {job.spec.inputs}\n{printed}")
    return job.id


def beside(house: House, *lanes: int) -> list[Job]:
    """Have the next jobs of the batch run in lanes that are not there; this process passes for theirs."""
    queue, on = queue_of(house), house.head()
    batch = queue.next_batch()
    assert batch is not None
    myself = identity(os.getpid())
    assert myself is not None
    for lane, job in zip(lanes, queue.first_waiting(batch, len(lanes)), strict=True):
        place = RunTree.of_lane(house.project, lane)
        notes.begin(place)
        notes.note_lease(place, Lease(job.id, job.attempt))
        uuid = f"uuid-{job.id}"
        folder = Folder.of(house.project.state, job.id, job.attempt)
        folder.path.mkdir(parents=True)
        folder.write_started(myself, uuid, now())
        queue.begin(job.id, Running(now(), on, house.head(house.project.run_tree), uuid, lane))
    return queue.living()


def a_night(house: House) -> None:
    """Two batches with failures, one of them seen, one retried; a standing order; a job for after a move."""
    queue = queue_of(house)
    house.commit({"a.py": "a = 2\n"}, message="v5: plot all drugs on one page, since readers asked for it")
    queue.add(plots("240226I", "240227J"), Trigger.NOW, house.head())
    for outcome, code in (
        (Outcome.SUCCEEDED, 0),
        (Outcome.FAILED, 1),
        (Outcome.UNCHANGED, 0),
        (Outcome.FAILED, 137),
        (Outcome.INTERRUPTED, 0),
    ):
        ran(house, outcome, code)
    queue.acknowledge([4])
    queue.cancel([6])
    house.commit({"a.py": "a = 3\n"}, message="v5: decimal commas")
    queue.retry([2])
    ran(house)
    queue.add([JobSpec(f"exit {n}", "m", values=(("n", str(n)),)) for n in (0, 1)], Trigger.NOW, house.head())
    tip = house.head(house.project.main_code)
    queue.add([JobSpec("make a", "again"), JobSpec("make b", "again")], Trigger.ON_MOVE, tip)
    queue.add_standing(plots("240226I", "240227J"), tip)
