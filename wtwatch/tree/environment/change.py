"""What a set-up would change: read from what uv says it would do, and decided before anything is done."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from wtwatch.tree.environment.installed import SEEDS, Dist, normal
from wtwatch.tree.environment.note import Note

_LINE = re.compile(r"^ ([-+~]) ([A-Za-z0-9][\w.-]*)", re.MULTILINE)


class Change(NamedTuple):
    """What would be done to an environment so that it holds what is wanted and nothing else.

    ``added`` is to be installed, or anew; ``strays`` are installed and not wanted. ``replaces``: it is to be
    another environment altogether, of another Python.
    """

    added: frozenset[str] = frozenset()
    strays: frozenset[str] = frozenset()
    replaces: bool = False


def read(said: str) -> Change:
    """Return what uv says, in a dry run, that it would do."""
    found = [(sign, normal(name)) for sign, name in _LINE.findall(said)]
    added = frozenset(name for sign, name in found if sign != "-")
    strays = frozenset(name for sign, name in found if sign == "-") - added - SEEDS
    return Change(added, strays, "Would replace" in said)


class Sorted(NamedTuple):
    """What is installed besides: ``by_hand``, by whomever, and ``dropped``, once wanted and no longer."""

    by_hand: frozenset[str]
    dropped: frozenset[str]


def sort_strays(change: Change, note: Note, dists: Iterable[Dist]) -> Sorted:
    """Return which strays were installed by hand, and which were installed for code, that wants them no more.

    One that those by hand need stays with them. Where nothing is known of who installed what, all is by hand.
    """
    there = {dist.name: dist for dist in dists}
    ours = frozenset(note.ours or ())
    kept, ahead = set[str](), list(change.strays - ours)
    while ahead:
        name = ahead.pop()
        kept.add(name)
        ahead += (there[name].needs() & change.strays) - kept if name in there else ()
    return Sorted(change.strays & kept, change.strays - kept)
