"""`kill -9` before each step of a set-up of the environment, and of all at a moment of it: it is made right.

By the next look, before any job starts; an environment that was set aside is there once, and what somebody
installed by hand is where it was, or there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import psutil
import pytest

from tests.lab import eventually
from tests.packages import project as pyproject
from tests.proofs.killing import moments, python, ticked, undisturbed
from tests.proofs.steps import struck_at_each
from tests.tally import Kills
from tests.tree.environment.world import World
from wtwatch.project.config import write_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions
from wtwatch.tree.environment import Verdict, commands
from wtwatch.words.model import Ended, EnvironmentState, JobSpec, Outcome, Trigger

TICK = """\
import sys
from pathlib import Path
from tests.proofs.steps import kill, watch
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
project = read_project(Path(sys.argv[1]))
if len(sys.argv) > 2:
    watch(sys.argv[2], Path(sys.argv[3]), kill)
tick(project, TickOptions(hurry=True, start_jobs=True, patience=20.0))
"""

WORK = TickOptions(hurry=True, start_jobs=True, patience=20.0)

USES = "python -c 'import one, three; assert one.V == \"2\"'"
"""A job that ends well in an environment that is as code wants it."""


def released(world: World, *needs: str) -> None:
    """Have the bookmark at a commit of code that has these locked."""
    listed = ", ".join(f'"{one}"' for one in needs)
    main = world.house.project.main_code
    (main / "pyproject.toml").write_text(pyproject("p", f"dependencies = [{listed}]", backend=False))
    world.say("uv", "lock", "-q", cwd=main)
    world.house.commit({})


def with_none(root: Path) -> World:
    """Return a project that never had an environment, with a job that wants one."""
    world = World.built(root, settle=0.0)
    write_project(world.house.project)
    released(world, "one==2", "three")
    spec = JobSpec(USES, plain=True)
    Queue(world.house.project.state).add([spec], Trigger.NOW, world.house.head())
    return world


def with_an_older(root: Path) -> World:
    """Return the same with an environment of the commit before, and a package in it by hand."""
    world = World.built(root, settle=0.0)
    write_project(world.house.project)
    released(world, "one==1")
    ticked(world.house.project, WORK)
    world.by_hand("three")
    (world.code / ".venv" / "mine").write_text("mine\n")
    released(world, "one==2", "three")
    spec = JobSpec(USES, plain=True)
    Queue(world.house.project.state).add([spec], Trigger.NOW, world.house.head())
    return world


def with_a_broken(root: Path) -> World:
    """Return the same with an environment that has to be set aside, as its Python is gone."""
    world = with_an_older(root)
    interpreter = world.code / ".venv/bin/python"
    interpreter.unlink()
    interpreter.symlink_to("/nonexistent")
    return world


def assert_right(world: World, job_too: bool = False) -> None:
    """After the next looks the environment is right, and the job has run in it, once.

    ``job_too``: it may have been killed as well, if it had begun.
    """
    queue = Queue(world.house.project.state)

    def over() -> bool:
        done = ticked(world.house.project, WORK)
        assert done.waits is None or done.busy, done
        return isinstance(queue.job(1).state, Ended) and queue.uncleared() is None

    eventually(over, within=60)
    state = queue.job(1).state
    assert isinstance(state, Ended)
    assert state.outcome is Outcome.SUCCEEDED or (job_too and state.outcome is Outcome.INTERRUPTED), state
    assert queue.job(1).attempt == 1
    assert world.noted() == Verdict(EnvironmentState.OK)
    assert (world.value("one"), world.value("two"), world.value("three")) == ("2", "1", "1")
    assert not (world.tree.state / "journal.environment").exists()
    assert not list(world.code.glob(".venv.*"))


def assert_kept_in_place(world: World) -> None:
    """What was by hand in an environment that was met in place is there."""
    assert world.aside() == []
    assert (world.code / ".venv/mine").read_text() == "mine\n"


def assert_kept_aside(world: World) -> None:
    """The environment that had to be replaced is there once, whole."""
    [kept] = world.aside()
    assert (kept / "mine").read_text() == "mine\n"
    assert list(kept.glob("lib/*/site-packages/three.py"))
    assert (kept / "bin/python").readlink() == Path("/nonexistent")
    assert not (world.code / ".venv/mine").exists()


def assert_none_aside(world: World) -> None:
    assert world.aside() == []


KINDS = pytest.mark.parametrize(
    ("made", "kept"),
    [
        (with_none, assert_none_aside),
        (with_an_older, assert_kept_in_place),
        (with_a_broken, assert_kept_aside),
    ],
    ids=["the first", "in place", "beside"],
)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@KINDS
def test_a_set_up_killed_at_each_step_is_made_right_before_a_job_starts(
    tmp_path: Path, kills: Kills, made: Callable[[Path], World], kept: Callable[[World], None]
) -> None:
    world = made(tmp_path / "w")
    commands.for_set_up(world.tree)  # makes folders with links to tools, once
    project, root = world.house.project, world.house.project.main_tree.parent
    config = str(project.state / "config.toml")
    part = int.from_bytes(os.urandom(4)) % 2
    struck = struck_at_each(root, tmp_path, TICK, config, part=part, parts=2, since="environment.lock")
    for _ in kills.each("a set-up at each step", struck):
        assert_right(world)
        kept(world)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@KINDS
def test_a_set_up_of_which_all_is_killed_at_any_moment_is_made_right_before_a_job_starts(
    tmp_path: Path, kills: Kills, made: Callable[[Path], World], kept: Callable[[World], None]
) -> None:
    """As when the machine stops: the installer too, which else would go on."""
    folders = (tmp_path / str(number) for number in count())

    def fresh() -> tuple[World, str]:
        world = made(next(folders))
        return world, str(world.house.project.state / "config.toml")

    _, config = fresh()
    whole = undisturbed(TICK, config)
    for moment in moments(7):
        world, config = fresh()
        hit = all_killed(moment * whole, config)
        with kills.survived("a set-up at random, its installer too", hit):
            assert_right(world, job_too=True)
            kept(world)


def all_killed(after: float, config: str) -> bool:
    """Start a tick and end it with all that it started after ``after`` seconds; ``False``: it was over."""
    until = time.monotonic() + after
    with python(TICK, config) as process:
        eventually(lambda: time.monotonic() >= until)
        if process.poll() is not None:
            return False
        try:
            doomed = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:  # it ended this very moment
            return False
        for one in doomed:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        process.communicate()
    return True
