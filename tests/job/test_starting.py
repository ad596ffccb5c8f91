"""What becomes of a job whose start cannot be told to the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import eventually
from tests.pathhouse import PathHouse
from wtwatch.queue.database import Unusable
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Trigger


@pytest.mark.parametrize("gone", [False, True])
def test_a_job_that_started_on_a_full_disk_runs_on_and_one_that_was_removed_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    house = PathHouse(tmp_path)
    queue, gate, begun = Queue(house.project.state), tmp_path / "gate", tmp_path / "begun"
    command = f"echo >> {begun}; until [ -e {gate} ]; do sleep 0.02; done; echo end >> {begun}"
    [job] = queue.add([JobSpec(command, plain=True)], Trigger.NOW, house.release("runs-code"))

    def refuses(*_: object) -> None:
        eventually(begun.exists)
        raise WtwatchError("there is no such job") if gone else Unusable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "begin", refuses)
        with pytest.raises(WtwatchError):
            house.tick(start_jobs=True)
    if not gone:
        gate.touch()

    def over() -> Job | None:
        house.tick(start_jobs=True)
        found = queue.job(job.id)
        return found if isinstance(found.state, Ended) else None

    ended = eventually(over)
    assert ended is not None and isinstance(ended.state, Ended)
    assert ended.state.outcome is (Outcome.INTERRUPTED if gone else Outcome.SUCCEEDED)
    assert begun.read_text() == ("\n" if gone else "\nend\n")
