"""Which jobs of a file a move touches: those that have no result, and those whose result is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stale.world import World, made
from wtwatch.queue.jobs import Queue
from wtwatch.stale import touched, turn
from wtwatch.stale.values import Standing
from wtwatch.words.model import Ended, JobSpec, Sha, Trigger


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two results, of two scripts that share a module; the second reads what the first made."""
    world = made(tmp_path / "small")
    for name, inputs in (("one", []), ("two", ["one.txt"])):
        uses = {"files": [f"code/src/{name}.py", "code/src/shared.py"], "imported": ["code/src"]}
        world.ran(f"python code/src/{name}.py", {f"{name}.txt": name}, inputs=inputs, uses=uses)
    return world


def spec(name: str, *inputs: str) -> JobSpec:
    return JobSpec(f"python code/src/{name}.py", inputs=inputs, outputs=(f"{name}.txt",), if_stale=True)


ONE, TWO, NEW = spec("one"), spec("two", "one.txt"), spec("new")


def now_at(world: World) -> Sha:
    return Sha(world.git("rev-parse", "HEAD", where=world.code))


@pytest.mark.parametrize(
    ("change", "those"),
    [
        ({"code/src/two.py": "print(22)\n"}, (TWO, NEW)),
        ({"code/src/shared.py": "x = 2\n"}, (ONE, TWO, NEW)),
        ({"code/src/one.py": "print(11)\n"}, (ONE, TWO, NEW)),
        ({"code/src/three.py": "print(3)\n"}, (NEW,)),
    ],
    ids=["one script", "the module", "what feeds the other", "a new script"],
)
def test_those_start_whose_result_is_stale_or_fed_by_one_or_not_there(
    world: World, change: dict[str, str | None], those: tuple[JobSpec, ...]
) -> None:
    world.release(change)
    assert touched.touched(world.tree, (ONE, TWO, NEW), now_at(world)) == (those, (NEW,))


def test_a_job_that_needs_or_sets_another_thing_than_its_result_did_starts(world: World) -> None:
    others = (spec("one", "in.txt"), ONE._replace(setenv=(("N", "2"),)), ONE._replace(command="other"))
    assert touched.touched(world.tree, (ONE, *others), now_at(world)) == (others, others)


def test_when_its_turn_comes_a_job_from_a_file_is_spared_if_its_result_is_fresh(world: World) -> None:
    world.tree.state.mkdir(parents=True)
    queue = Queue(world.tree.state)
    one, _, new = queue.add([ONE, TWO, NEW], Trigger.NOW, now_at(world))
    spared = turn.spared(world.tree, queue, one, now_at(world))
    assert spared is not None and spared.word == "unchanged"
    assert turn.spared(world.tree, queue, new, now_at(world)) is None, "it was never made"
    code_sha = world.release({"code/src/one.py": "print(11)\n"})
    found = touched.result_of(world.tree, ONE, code_sha)
    assert found is not None and found.standing is Standing.STALE


@pytest.mark.parametrize("text", ["by hand\n", None], ids=["edited", "deleted"])
def test_a_result_that_was_changed_by_hand_since_it_was_queued_is_not_made_over(
    world: World, text: str | None
) -> None:
    world.tree.state.mkdir(parents=True)
    queue, made = Queue(world.tree.state), Sha(world.git("log", "-1", "--format=%H", "--", "one.txt"))
    (job,) = queue.add([ONE._replace(rerun_of=made)], Trigger.NOW, now_at(world))
    code_sha = world.release({"code/src/one.py": "print(11)\n"})
    assert turn.spared(world.tree, queue, job, code_sha) is None
    world.save({"one.txt": text})
    spared = turn.spared(world.tree, queue, job, code_sha)
    assert spared is not None and isinstance(spared.state, Ended)
    assert spared.state.detail == "not run: its result was changed by hand since"
