"""Taking a lane to a commit of the superdataset, and each dataset in it to what that names."""

from __future__ import annotations

import json
from collections.abc import Iterator

from wtwatch.bring import carry
from wtwatch.bring.steps import Step
from wtwatch.doors.journal import Journal
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.lanes import making
from wtwatch.project.tree import RunTree
from wtwatch.tree import diff
from wtwatch.tree.busy import gits_in
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


def journal(lane: RunTree) -> Journal:
    """Return the journal of a lane on its way."""
    return lane.journal("lane")


def move(lane: RunTree, to: Sha) -> None:
    """Take a lane to a commit of the superdataset, with its lock held by the caller; nothing is lost.

    Cut off, it is gone on with by :func:`recover`. Raises :class:`WtwatchError` where git refuses, as
    somebody edited files there.
    """
    at = head_of(Repo(lane.path))
    if at is None or at == to:
        return
    for place in _gone(lane, "", at, to):
        making.drop(lane, place)
    steps = [*_inside(lane, "", at, to), Step("", "", at, to)]
    facts = {"steps": json.dumps(steps), "at": "-1"}
    journal(lane).open(facts)
    _go_on(lane, facts)


def recover(lane: RunTree) -> None:
    """Go on with a move that was cut off, with the lane's lock held by the caller; raises what that does."""
    facts = journal(lane).read()
    if facts is None:
        return
    alive = gits_in(lane.path)
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is still at work in {lane.path}.",
            "It goes on by itself when that ends.",
        )
    _go_on(lane, facts)


def _go_on(lane: RunTree, facts: dict[str, str]) -> None:
    begun = int(facts["at"])
    for number, (path, branch, old, new) in enumerate(json.loads(facts["steps"])):
        if number > begun:
            journal(lane).open(facts | {"at": str(number)})
        carry.take(lane, Step(path, branch, Sha(old), Sha(new)), number <= begun, whose="the run tree")
    journal(lane).close(lasting=False)


def _gone(lane: RunTree, above: str, old: Sha, new: Sha) -> Iterator[str]:
    """Yield the subdatasets of a lane that are none any more in another commit."""
    for change in diff.between(Repo(lane.path / above), old, new):
        path = f"{above}/{change.path}" if above else change.path
        there = change.mode_before == GITLINK and (lane.path / path / ".git").exists()
        if there and change.mode_after != GITLINK:
            yield path
        elif there:
            yield from _gone(lane, path, change.before, change.after)


def _inside(lane: RunTree, above: str, old: Sha, new: Sha) -> Iterator[Step]:
    """Yield the steps of the subdatasets that go from one commit to another, deepest first."""
    for change in diff.between(Repo(lane.path / above), old, new):
        path = f"{above}/{change.path}" if above else change.path
        if change.mode_before != GITLINK or change.mode_after != GITLINK:
            continue
        repo = Repo(lane.path / path)
        if not (repo.path / ".git").exists():
            continue
        head = head_of(repo)
        if head != change.before:
            raise WtwatchError(
                f"{repo.path} is at {head}, not at {change.before[:10]}, as its superdataset has it.",
                f"Take it back: git -C {quoted(repo.path)} checkout --detach {change.before}",
            )
        yield from _inside(lane, path, change.before, change.after)
        yield Step(path, "", change.before, change.after)
