"""States and plans are values of their own kind, not tuples."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from wtwatch.words.model import Ended, Foreign, JobState, Outcome, Running, Sha, Waiting, now
from wtwatch.words.value import Value

A = Sha("a" * 40)


class Pair(Value):
    left: int
    right: tuple[int, ...] = (1,)


class Twin(Value):
    left: int
    right: tuple[int, ...] = (1,)


class Single(Value):
    left: int


def test_a_state_without_facts_is_neither_falsy_nor_equal_to_another() -> None:
    waiting: Any = Waiting()
    assert waiting and waiting == Waiting()
    assert waiting not in ((), None, Foreign("waiting"), Single(1))
    assert Pair(1) != Twin(1) and Pair(1) not in ((1, (1,)), Single(1))


def test_a_value_is_made_like_a_dataclass() -> None:
    assert Pair(1) == Pair(1, (1,)) == Pair(left=1, right=(1,)) == Pair(1, right=(1,)) != Pair(2)
    assert repr(Pair(1)) == "Pair(left=1, right=(1,))"
    assert {Pair(1): "one"}[Pair(1)] == "one" and len({Pair(1), Twin(1)}) == 2
    assert copy.deepcopy(Pair(3)) == pickle.loads(pickle.dumps(Pair(3))) == Pair(3)


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"left": 1}), ((1,), {"wrong": 1}), ((), {"right": ()})],
)
def test_a_value_is_not_made_of_too_little_or_too_much(values: Any, named: Any) -> None:
    with pytest.raises(TypeError, match="Pair"):
        Pair(*values, **named)


def test_a_value_stays_as_it_is() -> None:
    one: Any = Pair(1)
    for name in ("left", "other"):
        with pytest.raises(AttributeError, match="frozen"):
            setattr(one, name, 2)
    with pytest.raises(AttributeError, match="frozen"):
        del one.left
    assert one == Pair(1) and Pair.right == (1,)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Waiting(), "waiting"),
        (Running(now(), A, A, "uuid"), "uuid"),
        (Ended(None, now(), None, Outcome.CANCELLED), "cancelled"),
        (Foreign("held"), "held"),
    ],
)
def test_states_are_told_apart_by_match(state: JobState, word: str) -> None:
    match state:
        case Waiting():
            found = "waiting"
        case Running(_, _, _, uuid):
            found = uuid
        case Ended(outcome=outcome):
            found = outcome.value
        case Foreign(known):
            found = known
    assert found == word
