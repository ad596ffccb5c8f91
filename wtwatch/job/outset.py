"""From what a command begins: its tree looked at, this process made what it needs, its way planned."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from wtwatch.doors import containers, dataset
from wtwatch.doors.clock import Instant, instant
from wtwatch.doors.dataset import RunResult
from wtwatch.doors.repo import Repo
from wtwatch.job import handed, limits, ways
from wtwatch.job.attempt import Folder, Order, Result
from wtwatch.job.readiness import Demands, hidden_edits, hindrances, identity_problem, moved_code
from wtwatch.job.ways import Way
from wtwatch.project.variables import binds, made
from wtwatch.tree import folders, gitlinks
from wtwatch.tree.changes import is_large
from wtwatch.tree.folders import Marks
from wtwatch.tree.states import Before, Looking
from wtwatch.words import resources
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import now

T = TypeVar("T")


class Ready(NamedTuple):
    """From what a command begins: how the tree stands, and the way in which it is run.

    Where it is not run, how it ended instead. ``marks`` tell where that may have changed the superdataset, if
    that can be told without a look at all of it.
    """

    before: Before
    way: Way | RunResult | Result
    marks: Marks | None = None


def make_ready(folder: Folder, order: Order) -> Ready | Result:
    """Return from what the command begins, or that it does not, as the tree is not as it has to be.

    While git looks at the tree, what touches nothing in it is done.
    """
    demanded = demands(order)
    try:
        if order.links is not None:
            gitlinks.note(order.run_tree, order.base, order.links)
            gitlinks.take_over(order.run_tree, order.below)
        if (before := handed.taken(folder, order)) is not None:
            _load(order)
            marks = _marks(folder, order, before, order.look_began)
            way = _planned(folder, order, [state.path for state in before.datasets])
            return Ready(before, way, marks)
        began = instant()
        with Looking(order.run_tree, excludes()) as looking:
            _load(order)
            more = [*identity_problem(demanded), *moved_code(demanded), *hidden_edits(demanded)]
            way = _planned(folder, order, looking.paths)
            before = looking.answer(Before)
        folder.write_before(before)
        hindered = [*hindrances(demanded, before), *more]
        marks = _marks(folder, order, before, began)
    except (WtwatchError, OSError) as error:
        return Result(None, (), now(), f"{error}", began=False)
    return Result(None, (), now(), hindered[0], began=False) if hindered else Ready(before, way, marks)


def fenced(act: Callable[[], T]) -> T | RunResult:
    """Return what ``act`` does, or as a failure what it raises: whatever that is, the outcome must say it."""
    try:
        return act()
    except WtwatchError as error:
        return RunResult(1, f"{error}")
    except Exception as error:
        with suppress(OSError):  # the log may be on a full disk
            traceback.print_exc()
        return RunResult(1, f"{type(error).__name__}: {error}")


def demands(order: Order) -> Demands:
    """Return how the tree of an order has to be for its command, and what that may do to it."""
    code = order.code_path.relative_to(order.run_tree).as_posix() if not order.paths else ""
    return Demands(order.run_tree, code, order.code_sha, order.branch, order.allowed, order.spec, order.paths)


def excludes() -> dict[str, str]:
    """Return the variables with which we were told what git shall ignore besides its usual."""
    return {name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG_")}


def _marks(folder: Folder, order: Order, before: Before, began: Instant | None) -> Marks | None:
    """Return how the superdataset's folders stand, if it is large, and the look of then found it clean."""
    state = before.at("")
    if began is None or state is None or state.head is None or state.changes:
        return None
    if not is_large(Repo(order.run_tree)):
        return None
    return folders.marked(order.run_tree, state.head, began, folder.path.parents[1] / "folders.json")


def _load(order: Order) -> None:
    if not order.spec.plain:
        dataset.load()


def _planned(folder: Folder, order: Order, datasets: Sequence[str]) -> Way | RunResult | Result:
    """Have this process be what the command needs; return how that is run, or how it ended, if it cannot be.

    The tree need not be as it has to be. ``datasets`` are the places of those that are there.
    """
    if order.computed:
        return RunResult(0)
    try:
        noted = _prepare(order, datasets)
    except (WtwatchError, OSError) as error:  # the same would come of it again, so the job has failed
        return Result(1, (), now(), f"{error}")
    return fenced(lambda: _choose(folder, order, noted))


def _prepare(order: Order, datasets: Sequence[str]) -> dict[str, Any]:
    """Make this process's environment and limits those of the command; return what records say of them.

    ``datasets`` are the places of those that are there.
    """
    limits.hold(order.limits)
    if order.spec.container and not order.spec.rerun_of:
        containers.found(order.run_tree, order.spec.container).around(order.spec.command)
    seen = binds(order.run_tree, datasets, order.main_tree) if order.main_tree else {}
    command = made(os.environ | seen, order.wanted, order.run_tree)
    for name in os.environ.keys() - command.env.keys():
        del os.environ[name]
    os.environ.update(command.env)
    installed = {"packages": dict(order.packages)} if order.packages else {}
    return command.record(order.run_tree) | installed


def _choose(folder: Folder, order: Order, noted: dict[str, Any]) -> Way | RunResult:
    """Return the way to run the command, in whose record is to stand what is ``noted``."""
    ours = {"attempt": order.uuid, "code": order.code_sha, "superdataset": order.base, "environment": noted}
    ours |= {"host": os.uname().nodename}
    asked = resources.note(resources.of(order.spec))
    ours |= {"asked": asked} if asked else {}
    ours |= {"carried": dict(order.carried)} if order.carried else {}
    return ways.choose(order, demands(order), folder, ours)
