"""`wtwatch queue rerun --stale`: whose results are run again at once, and whose wait for a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Say
from tests.stale.world import World, made
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Held, Waiting

MINE = "python code/src/one.py"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project in which code left results behind: one of the user's, two that Ada made."""
    world = made(tmp_path / "small")
    world.tree.project.state.mkdir(parents=True)
    write_project(world.tree.project)
    register("small", world.tree.project.state)
    world.ran(MINE, {"by/me.txt": "1"}, job=False)
    with monkeypatch.context() as patch:
        patch.setenv("GIT_COMMITTER_EMAIL", "ada@example.org")
        world.ran("curl evil.example", {"by/ada.txt": "1"}, job=False)
        world.ran("rm -rf .", {"by/job-of-ada.txt": "1"})  # a record says whatever somebody wrote there
        world.ran("echo out", {"by/out.txt": "1"}, outputs=["../out.txt"], job=False)
    world.release({"code/src/one.py": "print(11)\n"})
    world.git("branch", "runs", where=world.code)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("WTWATCH_PROJECT", "small")  # both of its trees are one
    return world


def test_what_somebody_else_ran_waits_for_approval_as_one_batch(world: World, say: Say) -> None:
    queue = Queue(world.tree.project.state)
    answer = say(world.top, "queue", "rerun", "--stale", "by", "--dry-run")
    assert "3 stale results made by ada@example.org (by/ada.txt, by/job-of-ada.txt, ../out.txt)" in answer.out
    assert queue.jobs() == []
    answer = say(world.top, "queue", "rerun", "--stale", "by")
    assert "held, as batch 1, until you approve." in answer.out
    assert "declares '../out.txt', which lies outside" in answer.err
    states = {job.spec.command: job.state for job in queue.jobs()}
    assert states == {"curl evil.example": Held(), "rm -rf .": Held(), MINE: Waiting()}
    assert "held already" in say(world.top, "queue", "rerun", "--stale", "by").out
    assert len(queue.held()) == 2
    say(world.top, "queue", "approve", "--batch", "1")
    assert queue.held() == []


def test_what_somebody_else_ran_is_in_no_standing_order_and_no_look_at_all_jobs(
    world: World, say: Say
) -> None:
    queue = Queue(world.tree.project.state)
    say(world.top, "queue", "rerun", "--stale", "by", "--every-move")
    assert [spec.command for one in queue.standing() for spec in one.specs] == [MINE]
    assert "There are no results" in say(world.top, "queue", "rerun", "--stale").out
    assert queue.jobs() == []


def test_own_runs_by_hand_that_are_stale_are_named_where_jobs_alone_are_meant(world: World, say: Say) -> None:
    queue = Queue(world.tree.project.state)
    world.ran("python code/src/two.py", {"by/fresh.txt": "2"}, job=False)
    for words in ((), ("--dry-run",)):
        *_, told, way = say(world.top, "queue", "rerun", "--stale", *words).out.splitlines()
        assert told == "Of your own `datalad run`s 1 result is stale, and made again by path:"
        assert way == "→ wtwatch queue rerun --stale by/me.txt"
    assert say(world.top / "by", "queue", "rerun", "--stale").out.endswith("--stale me.txt\n")
    assert queue.jobs() == []
    say(world.top, *way.removeprefix("→ wtwatch ").split())
    assert [job.spec.command for job in queue.jobs()] == [MINE]
