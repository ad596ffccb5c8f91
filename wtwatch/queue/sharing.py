"""How jobs share what one host has. Pure: who asks has looked what there is, and who has what of it.

What a job does not ask for is not counted, but that each takes a processor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from wtwatch.doors.capacity import Capacity
from wtwatch.words.model import counted
from wtwatch.words.resources import Resources, memory_words

_WITHOUT = "Leave --gpus out."


class Share(NamedTuple):
    """An amount of what can run short: processors, MB of memory, graphics cards."""

    cpus: int
    mem: int
    gpus: int


def share_of(want: Resources) -> Share:
    """Return what a job takes that asks for this."""
    return Share(want.cpus or 1, want.mem or 0, want.gpus or 0)


def whole(have: Capacity) -> Share:
    """Return all that a host has."""
    return Share(have.cpus, have.mem, len(have.cards))


class TooMuch(NamedTuple):
    """In words, of what a host has less at all than a job asks for, and for what one could ask."""

    reason: str
    hint: str


def too_much(have: Capacity, want: Resources) -> TooMuch | None:
    """Return of what a job asks for more than the host has at all, if of anything."""
    for name, asked, there in zip(Share._fields, share_of(want), whole(have), strict=True):
        if asked > there:
            reason = f"asks for {_amount(name, asked)}, and this host has {_number(name, there)}"
            return TooMuch(reason, f"Ask for at most --{name} {_option(name, there)}." if there else _WITHOUT)
    return None


def left(have: Capacity, living: Mapping[int, Resources]) -> Share:
    """Return what living jobs leave; below 0 where they take more than there is."""
    taken = [share_of(one) for one in living.values()]
    return Share(*(there - sum(one[place] for one in taken) for place, there in enumerate(whole(have))))


def short_of(have: Capacity, living: Mapping[int, Resources], want: Resources) -> str | None:
    """Return the name of what is not left enough of for a job beside those that live, by their number.

    Where none lives, nothing is short: it starts, though it asks for more than there is.
    """
    shares = zip(Share._fields, share_of(want), left(have, living), strict=True)
    return next((name for name, asked, rest in shares if living and 0 < asked > rest), None)


def waits_for(have: Capacity, living: Mapping[int, Resources], want: Resources, name: str) -> str:
    """Return in words what a job waits for that is :func:`short_of` ``name``."""
    place = Share._fields.index(name)
    holders = {job: share_of(one)[place] for job, one in living.items() if share_of(one)[place]}
    who = _jobs(list(holders))
    has = "has" if len(holders) == 1 else "have"
    there, taken = whole(have)[place], sum(holders.values())
    if not holders:
        return f"waits for {_amount(name, share_of(want)[place])}, and this host has {_number(name, there)}"
    of = f"{_number(name, taken)} of {_number(name, there)}"
    if name == "mem" and of.count(unit := of[-3:]) == 2:
        of = of.replace(unit, "", 1)
    return f"waits for {_amount(name, share_of(want)[place])}: {who} {has} {of}"


def deal(have: Capacity, taken: Collection[str], want: Resources) -> tuple[str, ...]:
    """Return which graphics cards a job gets: none that a living one has; fewer than asked if there are."""
    return tuple(card for card in have.cards if card not in taken)[: want.gpus or 0]


def _amount(name: str, number: int) -> str:
    """Return an amount in words, with what it is of."""
    if name == "mem":
        return f"{memory_words(number)} of memory"
    return counted(number, "processor" if name == "cpus" else "graphics card")


def _number(name: str, number: int) -> str:
    """Return an amount in words."""
    if not number:
        return "none"
    return memory_words(number) if name == "mem" else str(number)


def _option(name: str, number: int) -> str:
    """Return an amount as an option has it, rounded down."""
    return str(number) if name != "mem" else f"{number // 1000}GB" if number >= 1000 else f"{number}MB"


def _jobs(numbers: Sequence[int]) -> str:
    """Return a few jobs in words: "job 3", "jobs 3 and 5", "jobs 3, 5 and 9"."""
    if len(numbers) == 1:
        return f"job {numbers[0]}"
    return f"jobs {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
