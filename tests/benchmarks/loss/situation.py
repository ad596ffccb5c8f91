"""A situation: what a scientist or her tools left in the run tree's code when the bookmark moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tests.benchmarks.loss.scene import Scene


class Link(NamedTuple):
    """A symlink to ``target``."""

    target: str


class Script(NamedTuple):
    """A file that may be executed."""

    text: str


class Gitlink(NamedTuple):
    """A submodule's entry; it names a commit that need not be there."""

    commit: str = "1" * 40


Content = str | bytes | Link | Script | Gitlink | None
"""What lies at a path; ``None``: nothing."""

Files = Mapping[str, Content]
Trouble = Callable[["Scene"], None]

TIP: Files = {"a.py": "a = 2\n", "new.py": "new = 2\n", "d/y.py": None}
"""What the tip changes, adds and removes, unless a situation says otherwise."""


@dataclass(frozen=True)
class Situation:
    """``given`` are files of the applied commit, beside those of every house; ``tip`` what the tip changes.

    ``onto`` says where the tip comes from: the applied commit, the one ``before`` it, or "nothing": a history
    of its own. ``settings`` of git hold from the start. ``stays`` names why even `sync --force` leaves the
    tree where it is; ``possible`` tells whether it can be made on this machine.
    """

    name: str
    trouble: Trouble
    given: Files = field(default_factory=dict)
    tip: Files = field(default_factory=lambda: TIP)
    onto: Literal["applied", "before", "nothing"] = "applied"
    settings: Mapping[str, str] = field(default_factory=dict)
    stays: str | None = None
    possible: Callable[[], bool] = lambda: True


SITUATIONS: dict[str, Situation] = {}
"""All situations by their names, in the order of the table."""


def situation(name: str, **facts: object) -> Callable[[Trouble], Trouble]:
    """Enter a function that makes a situation into the table; ``facts`` are fields of `Situation`."""

    def enter(trouble: Trouble) -> Trouble:
        assert name not in SITUATIONS, name
        SITUATIONS[name] = Situation(name, trouble, **facts)  # type: ignore[arg-type]
        return trouble

    return enter
