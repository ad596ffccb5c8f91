"""A look at the tree is made once where a job starts at once, and again where somebody had time meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import eventually
from tests.pathhouse import PathHouse
from wtwatch.doors.clock import Instant, instant
from wtwatch.doors.files import held
from wtwatch.job import handed, starting
from wtwatch.job.attempt import Folder, Order
from wtwatch.queue.jobs import Queue
from wtwatch.tree.states import Before
from wtwatch.words.model import Ended, Job, JobSpec, Sha, Trigger, now

A = Sha("a" * 40)


@pytest.fixture
def ordered(tmp_path: Path) -> tuple[Folder, Order]:
    """An attempt that was ordered just now, by somebody who had looked at the tree."""
    folder = Folder.of(tmp_path, 1, 1)
    spec = JobSpec("true")
    order = Order(1, 1, now(), "uuid", now(), tmp_path, tmp_path, A, A, tmp_path / "bell", spec)
    folder.write_order(order._replace(looked=instant()))
    folder.write_before(Before((), ("inputs",)))
    found = folder.order()
    assert found is not None and found.looked is not None
    return folder, found


def test_a_look_of_a_moment_ago_counts(
    ordered: tuple[Folder, Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed, "FRESH", 600.0)
    assert handed.taken(*ordered) == Before((), ("inputs",))


@pytest.mark.parametrize("seconds", [handed.FRESH + 0.1, -3600.0])
def test_one_of_long_ago_or_of_no_known_moment_is_made_again(
    ordered: tuple[Folder, Order], seconds: float
) -> None:
    folder, order = ordered
    then = instant()
    for looked in (None, Instant("another start", then.seconds), Instant(then.boot, then.seconds - seconds)):
        assert handed.taken(folder, order._replace(looked=looked)) is None


def started(house: PathHouse, queue: Queue, changes: bool) -> Order:
    """Start the next job; ``changes``: what is checked after the look may change the tree."""
    job = queue.next_job()
    assert job is not None
    with held(house.tree.lock, wait=30) as lock:
        running = starting.start(house.tree, queue, job, lock, lambda: not changes)
    assert isinstance(running, Job)
    order = Folder.of(house.project.state, job.id, job.attempt).order()
    assert order is not None
    eventually(lambda: house.tick() and isinstance(queue.job(job.id).state, Ended))
    return order


def test_how_the_tree_stood_is_handed_on_unless_a_check_may_have_changed_it(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    queue = Queue(house.project.state)
    queue.add([JobSpec("true", plain=True)] * 2, Trigger.NOW, house.release("runs-code"))
    assert started(house, queue, changes=False).looked is not None
    assert started(house, queue, changes=True).looked is None
