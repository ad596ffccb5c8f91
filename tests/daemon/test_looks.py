"""How results stand is looked at beside the ticks, of projects at rest, and once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from tests.lab import eventually
from tests.stale.world import World, made
from wtwatch.daemon import looks
from wtwatch.daemon.looks import Looks
from wtwatch.project.config import write_project
from wtwatch.queue.prospects import BatchProgress, Upcoming
from wtwatch.stale import tallyfile
from wtwatch.stale.tally import Behind, Reason, Tally
from wtwatch.views.snapshot import ProjectSnapshot, QueueSnapshot, Standpoint
from wtwatch.words.model import EnvironmentState, Freshness, Sha, Verdict


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two results of two scripts that share a module."""
    world = made(tmp_path / "small")
    world.tree.project.state.mkdir(parents=True)
    write_project(world.tree.project)
    for name in ("one", "two"):
        uses = {"files": [f"code/src/{name}.py", "code/src/shared.py"], "imported": ["code/src"]}
        world.ran(f"python code/src/{name}.py", {f"{name}.txt": name}, uses=uses)
    world.git("branch", "runs", where=world.code)
    return world


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "SETTLED", 0.0)
    monkeypatch.setattr(looks, "SHARE", 0)


def shown(world: World, **changes: Any) -> ProjectSnapshot:
    project = world.tree.project
    queue = QueueSnapshot(False, {"succeeded": 2, "unchanged": 0}, settling=changes.pop("settling", None))
    queue = queue._replace(**changes.pop("queue", {}))
    found = ProjectSnapshot(
        project.name,
        project.main_tree,
        project.run_tree,
        project.bookmark,
        Standpoint(changes.pop("freshness", Freshness.FRESH)),
        Verdict(EnvironmentState.NONE),
        queue,
        tip=Sha(world.git("rev-parse", "runs", where=world.code)),
    )
    return found._replace(**changes)


def known(world: World) -> Tally | None:
    tip, head = (Sha(world.git("rev-parse", name, where=where)) for name, where in names(world))
    return tallyfile.read(world.tree, tip, head)


def names(world: World) -> tuple[tuple[str, Path], ...]:
    return ("runs", world.code), ("HEAD", world.top)


def looked(world: World, then: Callable[[str], None] = lambda name: None) -> Tally | None:
    """Have the results looked at by the process that the daemon starts; return what is known then."""
    over = Event()

    def told(name: str) -> None:
        then(name)
        over.set()

    one = Looks(told)
    one.see_to(world.tree.project, shown(world))
    eventually(over.is_set)
    one.end()
    return known(world)


def test_what_is_stale_is_kept_with_its_reasons_as_long_as_it_is_so(world: World) -> None:
    changed = world.release({"code/src/two.py": "print(22)\n"}, "Change two")
    world.git("branch", "--force", "runs", where=world.code)
    result = world.git("rev-parse", "HEAD~1")
    why = (("code/src/two.py", "changed"),)
    reasons = (Reason("code/src/two.py", "changed", 1, changed, "Change two"),)
    assert looked(world) == Tally(2, 1, 0, 0, reasons, (Behind(result, "two.txt", why),))
    world.save({"data/a.csv": "1\n"})
    assert known(world) is None


def test_a_look_gives_way_to_what_is_to_be_done_and_is_made_later(world: World, tmp_path: Path) -> None:
    ends: list[str] = []
    begun, beside = tmp_path / "begun", tmp_path / "beside"
    script = 'echo $$ >> "$0"; until [ -e "$1" ]; do sleep 0.02; done'
    one = Looks(ends.append, ("sh", "-c", script, str(begun), str(beside)))
    one.see_to(world.tree.project, shown(world))
    eventually(lambda: begun.exists() and begun.read_text())
    one.give_way("another")
    one.give_way("small")
    eventually(lambda: len(begun.read_text().split()) == 2)
    assert not psutil.pid_exists(int(begun.read_text().split()[0])) and ends == []
    beside.touch()
    eventually(one.is_silent)
    assert ends == ["small"]


def test_a_look_that_cannot_be_started_keeps_no_later_one_from_it(world: World) -> None:
    ends: list[str] = []
    one = Looks(ends.append, (str(world.top / "nothing"),))
    for number in range(2):
        world.save({"data/a.csv": f"{number}\n"})
        one.see_to(world.tree.project, shown(world))
        eventually(one.is_silent)
    assert ends == ["small"] * 2


def test_a_project_is_looked_at_once_and_then_only_when_something_changed(world: World) -> None:
    ends: list[str] = []
    one = Looks(ends.append, ("false",))  # one that comes to nothing is not tried for ever
    for _ in range(3):
        one.see_to(world.tree.project, shown(world))
        eventually(one.is_silent)
    assert ends == ["small"]
    world.save({"data/a.csv": "1\n"})
    one.see_to(world.tree.project, shown(world))
    eventually(one.is_silent)
    assert ends == ["small"] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"stale": Tally(2, 0)},
        {"batch": BatchProgress(1, 2, 1, 0, None, None, 0.0, 0)},
        {"settling": 4.0},
        {"queue": {"due": (Upcoming(1, 2),)}},
        {"queue": {"jobs": {"succeeded": 0, "failed": 2}}},
        {"freshness": Freshness.BEHIND},
    ],
    ids=["known", "a batch", "settling", "due", "no results", "behind"],
)
def test_nothing_is_looked_at_of_one_at_work_and_of_one_that_needs_no_look(
    world: World, changes: dict[str, Any]
) -> None:
    ends: list[str] = []
    one = Looks(ends.append, ("true",))
    one.see_to(world.tree.project, shown(world, **changes))
    assert one.is_silent()
    one.see_to(world.tree.project, shown(world))
    one.see_to(world.tree.project, shown(world, **changes))
    eventually(one.is_silent)
    assert len(ends) <= 1
